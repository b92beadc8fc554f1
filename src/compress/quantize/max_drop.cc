// --max-drop: layers go back to float, worst first, until the quality holds.
#include <algorithm>
#include <cmath>

#include "compress/quantize/stages.h"

namespace pare::compress {
namespace {

constexpr size_t kTogether = 4;  // forms at a time: memory

class DropHolder {
 public:
  DropHolder(Job& job, const std::vector<int64_t>& samples)
      : job_(job), samples_(samples), base_(job.best.variant) {}

  Result<bool> RunFor(const Form& form) {
    PARE_ASSIGN(in_float_, model::MakeSession(job_.calibration.graph, job_.context));
    return Holds(form);
  }

  Result<bool> Run() {
    PARE_ASSIGN(in_float_, model::MakeSession(job_.calibration.graph, job_.context));
    PARE_ASSIGN(const bool holds, Holds(job_.best));
    if (holds) return false;
    PARE_ASSIGN(worst_, WorstFirst());
    if (worst_.empty()) return Fail(NothingLeft());
    PARE_TRY(Bisect());
    const bool any = std::ranges::any_of(held_.built.scheme.layers, &Layer::integer);
    if (!any) return Fail(NothingLeft());
    job_.best = std::move(held_);
    return true;
  }

 private:
  Result<bool> Holds(const Form& form) {
    PARE_ASSIGN(data::Loader loader, job_.samples.Load(samples_));
    PARE_ASSIGN(const Quality quality,
                CompareQuality(*in_float_, *form.session, loader, job_.options.metric,
                               job_.progress, job_.options.targets.get()));
    const auto drop = quality.drop();
    if (!drop) return Fail(NothingToLose());
    by_share_ = quality.agreement.has_value();
    drop_ = *drop;
    return drop_ <= *job_.options.max_drop;
  }

  // Layers by what giving each one back alone gains at the outputs, the largest gain first.
  Result<std::vector<std::string>> WorstFirst() {
    std::vector<std::string> names;
    for (const Layer& layer : job_.best.built.scheme.layers) {
      if (layer.integer) names.push_back(layer.name);
    }
    job_.progress.Stage("ranking layers", std::ssize(names));
    Variant unrefined = base_;  // ranges that were chosen with all layers in integers favour these
    unrefined.range_factors.clear();
    unrefined.output_shift.clear();
    std::vector<std::pair<double, std::string>> by_error;
    for (size_t begin = 0; begin < names.size(); begin += kTogether) {
      const size_t count = std::min(kTogether, names.size() - begin);
      std::vector<Variant> without(count, unrefined);
      for (size_t i = 0; i < count; ++i) without[i].given_back[names[begin + i]] = "ranked";
      PARE_ASSIGN(const auto forms, job_.Make(without));
      PARE_ASSIGN(const auto errors,
                  job_.probe.Errors(SessionsOf(forms), kAllSamples, job_.progress));
      for (size_t i = 0; i < count; ++i) by_error.emplace_back(errors[i], names[begin + i]);
      job_.progress.Advance(static_cast<int64_t>(count));
    }
    std::stable_sort(by_error.begin(), by_error.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    for (size_t i = 0; i < names.size(); ++i) names[i] = std::move(by_error[i].second);
    return names;
  }

  // Whether the limit holds with the worst `count` layers in float; that form is kept then.
  Result<bool> Try(size_t count) {
    Variant variant = base_;
    for (size_t i = 0; i < count; ++i) {
      variant.given_back[worst_[i]] =
          Text("given back to hold --max-drop ", *job_.options.max_drop);
    }
    PARE_TRY(ChooseRanges(job_, std::move(variant)));
    if (job_.options.bias_correction) PARE_TRY(CorrectOutputs(job_));
    PARE_ASSIGN(const bool holds, Holds(job_.best));
    if (holds) held_ = std::move(job_.best);
    return holds;
  }

  // The fewest, found by doubling and then by bisection: in held_.
  Status Bisect() {
    size_t fails = 0, holds = 1;
    while (true) {
      PARE_ASSIGN(const bool held, Try(holds));
      if (held) break;
      fails = holds;
      if (holds == worst_.size()) return Fail(Unmet());
      holds = std::min(holds * 2, worst_.size());
    }
    while (holds - fails > 1) {
      const size_t middle = (holds + fails) / 2;
      PARE_ASSIGN(const bool held, Try(middle));
      (held ? holds : fails) = middle;
    }
    return {};
  }

  Error Unmet() const {
    return Error(ErrorKind::kUnmet,
                 Text("--max-drop ", *job_.options.max_drop,
                      " can't be held: ", std::round(100 * drop_) / 100,
                      " points are lost even with all layers in float that may be"),
                 Finer());
  }

  // A limit that only the float model holds is not held.
  Error NothingLeft() const {
    return Error(ErrorKind::kUnmet,
                 Text("--max-drop ", *job_.options.max_drop,
                      " can't be held: no layer is left that could be int8"),
                 Finer());
  }

  Error NothingToLose() const {
    return Error(ErrorKind::kUsage,
                 Text("--max-drop can't be measured: the targets of the ", samples_.size(),
                      " samples are all the same, and have no R²"),
                 "leave it out, or give more samples (--verification)");
  }

  std::string Finer() const {
    const auto count = static_cast<double>(samples_.size());
    const std::string one =
        Text(", of which one is ", std::round(1e4 / std::max(1.0, count)) / 100, " points");
    return Text("it is measured on ", samples_.size(), " samples", by_share_ ? one : "",
                ": more of them (--verification) make it finer");
  }

  Job& job_;
  const std::vector<int64_t>& samples_;
  const Variant base_;
  std::unique_ptr<runtime::Session> in_float_;
  std::vector<std::string> worst_;
  double drop_ = 0;       // of the last form that was looked at
  bool by_share_ = true;  // of samples
  Form held_;
};

}  // namespace

Result<bool> HoldMaxDrop(Job& job, const std::vector<int64_t>& samples) {
  return DropHolder(job, samples).Run();
}

Result<bool> HoldsMaxDrop(Job& job, const Form& form, const std::vector<int64_t>& samples) {
  return DropHolder(job, samples).RunFor(form);
}

}  // namespace pare::compress
