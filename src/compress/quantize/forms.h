// Int8 forms of one model, ready to run.
#pragma once

#include <optional>

#include "compress/quantize/builder.h"
#include "compress/quantize/probe.h"
#include "model/model.h"

namespace pare::compress {

struct Form {
  Variant variant;
  Built built;
  std::unique_ptr<runtime::Session> session;
  std::optional<Probe::Difference> difference;  // from the float model, where asked for
};

// Builds the forms and compiles them for inputs of these shapes, side by side: that is serial work.
Result<std::vector<Form>> MakeForms(Calibration& calibration, std::span<const Variant> variants,
                                    std::span<const Dims> shapes, const model::Context& context);
Result<Form> MakeForm(Calibration& calibration, const Variant& variant,
                      std::span<const Dims> shapes, const model::Context& context);

std::vector<runtime::Session*> SessionsOf(std::span<const Form> forms);

}  // namespace pare::compress
