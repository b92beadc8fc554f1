#include "api/option_names.h"

#include <gtest/gtest.h>

namespace pare {
namespace {

TEST(InApiNames, AreThoseOfThePublicHeaders) {
  const std::pair<const char*, const char*> cases[] = {
      {"", ""},
      {"a smaller --batch, or --clip", "a smaller batch, or clip_norm"},
      {"a larger --max-memory, a smaller --batch, or more --parts",
       "a larger max_memory_mb, a smaller batch, or more parts"},
      {"--checkpoint FILE would keep it", "checkpoint would keep it"},
      {"--validate-every: the checkpoint was made with 3",
       "validate_every: the checkpoint was "
       "made with 3"},
      {"--label COLUMN names it (--label-offset, --labels)",
       "label_column names it (label_offset, labels)"},
      {"--tune had nothing to train", "tune_steps had nothing to train"},
      {"`pare inspect --nodes` lists them; more --freeze",
       "`pare inspect --nodes` lists them; "
       "more freeze"},
      {"--batch A", "batch A"},
      {"the layer \"--batch\" and a--b -- c", "the layer \"--batch\" and a--b -- c"},
      {"--rgb or --bgr: the checkpoint", "channels: the checkpoint"},
      {"--targets FILE or --target-columns make it", "targets of the dataset make it"},
      {"check the file that --targets names", "check the targets"},
  };
  for (const auto& [text, named] : cases) EXPECT_EQ(InApiNames(text), named);
}

TEST(InApiNames, LeaveThePathAlone) {
  const Error error = Error(ErrorKind::kUsage, "--flip is not for this", "leave --flip out")
                          .at("node --flip (x)")
                          .at("--seed 3.onnx");
  const Error named = InApiNames(error);
  EXPECT_EQ(named.kind(), ErrorKind::kUsage);
  EXPECT_EQ(named.message(),
            "--seed 3.onnx: node --flip (x): flip is not for this\n      leave flip out");
  EXPECT_EQ(InApiNames(Error(ErrorKind::kUnmet, "--rate")).message(), "rate");
}

}  // namespace
}  // namespace pare
