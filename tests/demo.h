// The demo's model and pictures, and what tests of commands that take them say often.
#pragma once

#include <string>
#include <string_view>

#include "running.h"
#include "running_pare.h"

namespace pare {

inline Arguments operator+(Arguments a, const Arguments& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

inline bool Has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

namespace demo {

inline const std::string kModel = SourcePath("examples/demo/resnet20_cifar10_fp32.onnx");
inline const std::string kPictures = SourcePath("examples/demo/cifar10_test_2000.bin");
inline const Arguments kData = {"--data", kPictures};
inline const Arguments kPreprocessing = {"--mean", "0.485,0.456,0.406", "--std",
                                         "0.229,0.224,0.225"};

}  // namespace demo
}  // namespace pare
