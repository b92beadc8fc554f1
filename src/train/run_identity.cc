#include "train/run_identity.h"

#include <algorithm>
#include <vector>

#include "train/train.h"

namespace pare::train {
namespace {

constexpr size_t kLongestValue = 60;  // that a message shows

struct Line {
  std::string name, value;
};

std::vector<std::string_view> Parts(std::string_view text, std::string_view separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + separator.size());
  }
}

// Lines of the same name, as those of hints, are one.
std::vector<Line> LinesOf(std::string_view identity) {
  std::vector<Line> lines;
  for (const std::string_view text : Parts(identity, "\n")) {
    const size_t colon = text.find(": ");
    const std::string name(text.substr(0, colon));
    const std::string value(colon == std::string_view::npos ? "" : text.substr(colon + 2));
    const auto same = std::ranges::find(lines, name, &Line::name);
    if (same == lines.end()) {
      lines.push_back({name, value});
    } else {
      same->value += " " + value;
    }
  }
  return lines;
}

// Without hashes, and not longer than a message bears.
std::string Shown(std::string_view value) {
  std::string shown;
  for (const std::string_view word : Parts(value, " ")) {
    if (!word.starts_with('#')) shown += Text(shown.empty() ? "" : " ", word);
  }
  if (shown.size() > kLongestValue) shown = shown.substr(0, kLongestValue) + "…";
  return shown.empty() ? "none" : shown;
}

std::string Difference(const std::string& name, const Line* checkpoint, const Line* run) {
  const std::string before = checkpoint ? Shown(checkpoint->value) : "none";
  const std::string now = run ? Shown(run->value) : "none";
  if (before == now) return Text(name, ": not what the checkpoint was made with");
  return Text(name, ": the checkpoint was made with ", before, ", this run has ", now);
}

const Line* Find(const std::vector<Line>& lines, const std::string& name) {
  const auto at = std::ranges::find(lines, name, &Line::name);
  return at == lines.end() ? nullptr : &*at;
}

}  // namespace

void RunIdentity::AddObjective(std::string_view identity) {
  for (const std::string_view part : Parts(identity, ", ")) {
    const size_t space = part.find(' ');
    if (space == std::string_view::npos) {
      Add("learned", part);
    } else {
      Add(Text("--", part.substr(0, space)), part.substr(space + 1));
    }
  }
}

void AddOptions(const TrainOptions& options, RunIdentity& identity) {
  const ProgramOptions& program = options.program;
  const OptimizerOptions& o = program.optimizer;
  if (options.steps > 0) {
    identity.Add("--steps", options.steps);
  } else {
    identity.Add("--epochs", options.epochs);
  }
  identity.Add(program.batch_option, program.batch);
  identity.Add("--parts", program.parts);
  identity.Add("--seed", options.seed);
  identity.AddList("--freeze", program.parameters.freeze);
  identity.AddList("--train-only", program.parameters.only);
  identity.AddList("trained as well", program.parameters.also);
  identity.AddSwitch("--keep-zeros", program.keep_zeros);
  identity.Add("--optimizer", OptimizerName(o.kind));
  identity.Add("--rate", options.tries_rates ? Text("trials around ", options.schedule.rate)
                                             : Text(options.schedule.rate));
  identity.Add("--schedule", ScheduleName(options.schedule.kind));
  identity.Add("--warmup", options.schedule.warmup_steps);
  identity.Add("--momentum", o.momentum);
  identity.AddSwitch("--nesterov", o.nesterov);
  identity.Add("the moments", Text(o.beta1, ' ', o.beta2, ' ', o.epsilon));
  identity.Add("--weight-decay", o.weight_decay);
  identity.AddSwitch("decay of vectors", o.decay_vectors);
  identity.AddList("--no-decay", o.no_decay);
  identity.Add("--clip", o.clip_norm);
  identity.Add("--ema", o.ema);
  identity.Add("--validate-every",
               options.validate_every > 0 ? Text(options.validate_every) : "each epoch");
  identity.Add("--patience", options.patience);
  identity.AddSwitch("--flip", options.augment.flip);
  identity.Add("--crop-pad", options.augment.crop_pad);
  identity.Add("--mixup", options.augment.mixup);
}

std::string IdentityDifferences(std::string_view checkpoint, std::string_view run) {
  if (checkpoint == run) return "";
  const std::vector<Line> before = LinesOf(checkpoint), now = LinesOf(run);
  std::vector<std::string> differences;
  for (const Line& line : now) {
    const Line* other = Find(before, line.name);
    if (!other || other->value != line.value)
      differences.push_back(Difference(line.name, other, &line));
  }
  for (const Line& line : before) {
    if (!Find(now, line.name)) differences.push_back(Difference(line.name, &line, nullptr));
  }
  std::string text;
  for (const std::string& difference : differences)
    text += Text(text.empty() ? "" : "; ", difference);
  return text.empty() ? "the order of what it was made with" : text;
}

}  // namespace pare::train
