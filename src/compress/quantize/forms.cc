#include "compress/quantize/forms.h"

#include "compress/guarded.h"

namespace pare::compress {

Result<std::vector<Form>> MakeForms(Calibration& calibration, std::span<const Variant> variants,
                                    std::span<const Dims> shapes, const model::Context& context) {
  PARE_TRY(Prepare(calibration, variants, *context.pool));
  return SideBySide(*context.pool, variants.size(), [&](size_t i) -> Result<Form> {
    Form form{variants[i], {}, nullptr, {}};
    PARE_ASSIGN(form.built, Build(calibration, variants[i]));
    PARE_ASSIGN(form.session, model::MakeSession(form.built.graph, context));
    PARE_TRY(form.session->PlanFor(shapes));
    return form;
  });
}

Result<Form> MakeForm(Calibration& calibration, const Variant& variant,
                      std::span<const Dims> shapes, const model::Context& context) {
  PARE_ASSIGN(auto forms, MakeForms(calibration, std::span(&variant, 1), shapes, context));
  return std::move(forms[0]);
}

std::vector<runtime::Session*> SessionsOf(std::span<const Form> forms) {
  std::vector<runtime::Session*> sessions;
  for (const Form& form : forms) sessions.push_back(form.session.get());
  return sessions;
}

}  // namespace pare::compress
