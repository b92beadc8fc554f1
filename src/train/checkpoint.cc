#include "train/checkpoint.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "train/run_identity.h"

namespace pare::train {
namespace {

constexpr int64_t kColumns = 7;       // of HistoryRow
constexpr int64_t kTrialColumns = 4;  // of Trial

constexpr std::string_view kAnew =
    "remove the file to begin anew, or put a copy that is whole in its place";

Tensor TextTensor(const std::string& text) {
  return Tensor::Of<uint8_t>({std::ssize(text)},
                             {reinterpret_cast<const uint8_t*>(text.data()), text.size()});
}

Tensor HistoryTensor(const std::vector<HistoryRow>& history) {
  std::vector<double> values;
  for (const HistoryRow& r : history)
    values.insert(values.end(), {static_cast<double>(r.step), r.epoch, r.loss, r.rate, r.score,
                                 r.validation_loss, r.seconds});
  return Tensor::Of<double>({std::ssize(history), kColumns}, values);
}

Tensor TrialsTensor(const std::vector<Trial>& trials) {
  std::vector<double> values;
  for (const Trial& t : trials) values.insert(values.end(), {t.rate, t.loss, t.score, t.slack});
  return Tensor::Of<double>({std::ssize(trials), kTrialColumns}, values);
}

tl::unexpected<Error> Damaged(std::string_view what) {
  return Invalid(Text("its ", what, " can't be a run's"), Text("the file is damaged: ", kAnew));
}

Tensor RightTensor(const std::vector<bool>& right) {
  const std::vector<uint8_t> bytes(right.begin(), right.end());
  return Tensor::Of<uint8_t>({std::ssize(bytes)}, bytes);
}

Result<std::vector<HistoryRow>> HistoryOf(const Tensor& tensor, int64_t steps_done) {
  std::vector<HistoryRow> history;
  const auto v = tensor.as<double>();
  for (size_t i = 0; i + kColumns <= v.size(); i += kColumns) {
    const bool possible = std::isfinite(v[i + 1]) && std::isfinite(v[i + 2]) &&
                          std::isfinite(v[i + 3]) && !std::isinf(v[i + 4]) &&
                          !std::isinf(v[i + 5]) && std::isfinite(v[i + 6]) && v[i] >= 0 &&
                          v[i] <= static_cast<double>(steps_done);
    if (!possible) return Damaged("history");
    history.push_back(
        {static_cast<int64_t>(v[i]), v[i + 1], v[i + 2], v[i + 3], v[i + 4], v[i + 5], v[i + 6]});
  }
  return history;
}

// Arrays of a file, by name, each of the type and shape that it must have.
class Arrays {
 public:
  explicit Arrays(data::NamedTensors arrays) {
    for (auto& [name, tensor] : arrays) by_name_.emplace(name, std::move(tensor));
  }
  const Tensor* find(const std::string& name) const {
    const auto at = by_name_.find(name);
    return at == by_name_.end() ? nullptr : &at->second;
  }
  Result<Tensor> Get(const std::string& name, DType dtype, int rank) const {
    const Tensor* tensor = find(name);
    if (tensor && tensor->dtype() == dtype && tensor->rank() == rank) return *tensor;
    return Invalid(Text("it has no array \"", name, "\" as a checkpoint has it"),
                   Text("the file is damaged, or no checkpoint of pare: ", kAnew));
  }
  Status CopyTo(const std::string& name, Tensor& state) const {
    const Tensor* tensor = find(name);
    if (!tensor || tensor->dtype() != state.dtype() || tensor->shape() != state.shape()) {
      return Invalid(Text("its array \"", name, "\" is missing or not of this model"),
                     Text("the checkpoint is of another model: ", kAnew));
    }
    std::memcpy(state.mutable_data(), tensor->data(), tensor->bytes());
    return {};
  }

 private:
  std::map<std::string, Tensor> by_name_;
};

// None where the run tries no rates.
Result<std::vector<Trial>> TrialsOf(const Arrays& arrays) {
  std::vector<Trial> trials;
  if (!arrays.find("trials")) return trials;
  PARE_ASSIGN(const Tensor tensor, arrays.Get("trials", DType::kF64, 2));
  if (tensor.shape()[1] != kTrialColumns) return Damaged("trials");
  const auto v = tensor.as<double>();
  for (size_t i = 0; i + kTrialColumns <= v.size(); i += kTrialColumns) {
    const Trial trial{.rate = v[i], .loss = v[i + 1], .score = v[i + 2], .slack = v[i + 3]};
    const bool possible = std::isfinite(trial.rate) && trial.rate >= 0 && !std::isnan(trial.loss) &&
                          std::isfinite(trial.score) && std::isfinite(trial.slack);
    if (!possible) return Damaged("trials");
    trials.push_back(trial);
  }
  return trials;
}

// The first line: identities of other forms can't be compared.
std::string_view FormOf(std::string_view identity) {
  return identity.substr(0, identity.find('\n'));
}

Result<std::vector<bool>> RightOf(const Arrays& arrays, const std::string& name) {
  if (!arrays.find(name)) return std::vector<bool>();
  PARE_ASSIGN(const Tensor tensor, arrays.Get(name, DType::kU8, 1));
  const auto bytes = tensor.as<uint8_t>();
  return std::vector<bool>(bytes.begin(), bytes.end());
}

Result<std::string> RunOf(const Arrays& arrays) {
  PARE_ASSIGN(const Tensor text, arrays.Get("run", DType::kU8, 1));
  return std::string(reinterpret_cast<const char*>(text.data()), text.bytes());
}

Status CheckRun(const Arrays& arrays, const std::string& run) {
  PARE_ASSIGN(const std::string saved, RunOf(arrays));
  if (saved == run) return {};
  constexpr std::string_view kWayOut =
      "give the same to go on from it, or begin anew: another --checkpoint, without --resume";
  if (FormOf(saved) != FormOf(run)) {
    return Fail(ErrorKind::kUsage, "the checkpoint was written by another version of pare",
                std::string(kAnew));
  }
  return Fail(ErrorKind::kUsage,
              Text("the checkpoint is of another run: ", IdentityDifferences(saved, run)),
              std::string(kWayOut));
}

Status CheckProgress(const RunState& state, int64_t steps) {
  if (state.step < 0 || state.step > steps) return Damaged("number of steps");
  if (state.best_step < -1 || state.best_step > state.step) return Damaged("best step");
  const bool sums = state.loss_count >= 0 && std::isfinite(state.loss_sum) &&
                    std::isfinite(state.best.score) && std::isfinite(state.start.score) &&
                    std::isfinite(state.top_score) && !std::isinf(state.best.loss.value_or(0)) &&
                    !std::isinf(state.start.loss.value_or(0));
  if (!sums) return Damaged("sum of losses");
  if (!std::isfinite(state.rate) || state.rate < 0) return Damaged("learning rate");
  return {};
}

Result<RunState> Read(const Arrays& arrays, std::vector<State>& states, const RunKey& run) {
  PARE_TRY(CheckRun(arrays, run.identity));
  RunState state;
  PARE_ASSIGN(const Tensor counts, arrays.Get("progress", DType::kI64, 1));
  PARE_ASSIGN(const Tensor sums, arrays.Get("sums", DType::kF64, 1));
  PARE_ASSIGN(const Tensor history, arrays.Get("history", DType::kF64, 2));
  if (counts.count() != 3 || sums.count() != 7 || history.shape()[1] != kColumns)
    return Invalid("its progress has another form",
                   Text("it was written by another version of pare: ", kAnew));
  state.step = counts.as<int64_t>()[0];
  state.best_step = counts.as<int64_t>()[1];
  state.loss_count = counts.as<int64_t>()[2];
  state.loss_sum = sums.as<double>()[0];
  state.best.score = sums.as<double>()[1];
  state.start.score = sums.as<double>()[2];
  state.top_score = sums.as<double>()[3];
  if (const double loss = sums.as<double>()[4]; !std::isnan(loss)) state.best.loss = loss;
  if (const double loss = sums.as<double>()[6]; !std::isnan(loss)) state.start.loss = loss;
  state.rate = sums.as<double>()[5];
  PARE_ASSIGN(state.start.right, RightOf(arrays, "right/start"));
  PARE_ASSIGN(state.best.right, RightOf(arrays, "right/best"));
  PARE_ASSIGN(state.trials, TrialsOf(arrays));
  PARE_TRY(CheckProgress(state, run.steps));
  PARE_ASSIGN(state.history, HistoryOf(history, state.step));
  for (State& value : states) {
    PARE_TRY(arrays.CopyTo("now/" + value.name, value.data));
    if (state.best_step < 0) continue;
    PARE_ASSIGN(Tensor best, Tensor::Make(value.data.dtype(), value.data.shape()));
    PARE_TRY(arrays.CopyTo("best/" + value.name, best));
    state.best_states.push_back(std::move(best));
  }
  return state;
}

// A file that was cut off or damaged is no loss that copying mends.
Result<data::NamedTensors> ArraysIn(const std::string& path) {
  auto arrays = data::LoadNpz(path);
  if (arrays || arrays.error().kind() != ErrorKind::kInvalid) return arrays;
  return Fail(arrays.error().advise(Text("the checkpoint can't be gone on from: ", kAnew)));
}

}  // namespace

Result<std::string> DecisionsIn(const std::string& path) {
  PARE_ASSIGN(auto arrays, ArraysIn(path));
  const auto run = RunOf(Arrays(std::move(arrays)));
  if (!run) return Fail(run.error().at(path));
  const size_t at = run->find(kDecisions);
  return at == std::string::npos ? std::string() : run->substr(at + kDecisions.size());
}

Status SaveCheckpoint(const std::string& path, const Program& program, const RunState& state,
                      const std::string& run) {
  data::NamedTensors arrays{
      {"run", TextTensor(run)},
      {"progress", Tensor::Of<int64_t>({3}, {state.step, state.best_step, state.loss_count})},
      {"sums", Tensor::Of<double>({7}, {state.loss_sum, state.best.score, state.start.score,
                                        state.top_score, state.best.loss.value_or(NAN), state.rate,
                                        state.start.loss.value_or(NAN)})},
      {"history", HistoryTensor(state.history)}};
  if (!state.trials.empty()) arrays.emplace_back("trials", TrialsTensor(state.trials));
  if (!state.best.right.empty()) {
    arrays.emplace_back("right/start", RightTensor(state.start.right));
    arrays.emplace_back("right/best", RightTensor(state.best.right));
  }
  for (size_t i = 0; i < program.states().size(); ++i) {
    const State& value = program.states()[i];
    arrays.emplace_back("now/" + value.name, value.data);
    if (state.best_step >= 0) arrays.emplace_back("best/" + value.name, state.best_states[i]);
  }
  return data::SaveNpz(path, arrays);
}

Result<RunState> ReadCheckpoint(data::NamedTensors arrays, std::vector<State>& states,
                                const RunKey& run) {
  return Read(Arrays(std::move(arrays)), states, run);
}

Result<RunState> LoadCheckpoint(const std::string& path, Program& program, const RunKey& run) {
  PARE_ASSIGN(data::NamedTensors arrays, ArraysIn(path));
  auto state = ReadCheckpoint(std::move(arrays), program.states(), run);
  if (!state) return Fail(state.error().at(path));
  return state;
}

}  // namespace pare::train
