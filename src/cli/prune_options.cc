#include "cli/prune_options.h"

#include "cli/inputs.h"
#include "cli/text.h"

namespace pare::cli {

void PruneCommandOptions::Declare(Parser& parser) {
  parser.Positional("MODEL", model, "a float .onnx file");
  parser.Group("result");
  parser.Option("-o, --output", "FILE", training.output, "where the pruned model goes");
  parser.Flag("--list", list, "list the groups of channels, and write nothing");
  parser.Option(
      "--sensitivity", "FILE", sensitivity,
      "what each group loses and gains by how much of it goes: a table, and a plot (.svg) "
      "there; no model is written");
  DeclareSeconds(parser, seconds, "how long to measure times (default 1.5)");
  DeclareSize(parser);
  DeclareChoice(parser);
  parser.Group("calibration and verification");
  parser.Option("--calibration", "N", calibration, 1,
                "samples that units are judged by and layers fitted on (default 192)");
  parser.Option(
      "--verification", "N", verification, 1,
      "of the other samples, how many verify at most (default 1000; before training at most a "
      "quarter of all)");
  parser.Flag("--no-reconstruction", no_reconstruction,
              "don't fit the layers behind the cuts: weights stay as they were");
  training.data.Declare(parser, DataOptions::Need::kOptional);
  DeclareRecovery(parser);
  parser.Group("machine");
  parser.Option("--threads", "N", training.threads, 0,
                "threads to compute with (default: all that affinity and quota allow)");
}

void PruneCommandOptions::DeclareSize(Parser& parser) {
  parser.Group("how small");
  DeclareTarget(parser, "--target-macs", "N", TargetUnit::kMacs, macs,
                "multiply-accumulates of a sample (30M), or a part of the model's (0.5x)");
  DeclareTarget(parser, "--target-size", "BYTES", TargetUnit::kBytes, size,
                "of the file (2MB), or a part of the model's (0.4x)");
  DeclareTarget(parser, "--target-latency", "MS", TargetUnit::kMs, latency,
                "of a run on this CPU, batch 1, 1 thread (2ms), or a part of the model's (0.5x): "
                "candidates are measured");
  parser.Option(
      "--for", "FORM",
      [this](std::string_view name) -> Status {
        if (name != "f32" && name != "int8")
          return Fail(ErrorKind::kUsage, Text("there is no form \"", Printable(name), '"'),
                      "f32 and int8 are there");
        for_int8 = name == "int8";
        return {};
      },
      "what times are of: f32 (default), or int8, as `pare quantize` makes it of what is left");
  parser.Option(
      "--max-drop", "POINTS",
      [this](std::string_view text) -> Status {
        PARE_TRY(ParseNumber(text, max_drop));
        if (*max_drop >= -100 && *max_drop <= 100) return {};
        return Fail(ErrorKind::kUsage, Text(text, " is not between -100 (a gain) and 100"),
                    "percentage points, e.g. 1");
      },
      "as small as top-1 (without labels: agreement) drops by no more, on samples held out");
  parser.Flag("--no-measure", no_measure,
              "don't time layers at their widths: MACs or bytes alone say which cuts gain most, "
              "the same on every machine");
  parser.Option(
      "--depth", "PART", [this](std::string_view text) { return ParsePart(text, depth); },
      "of the residual blocks that stays, e.g. 0.75: those go first whose removal costs least");
  parser.Flag("--no-depth", no_depth,
              "no whole residual block goes (by default, where that is the better buy)");
  DeclareShapes(parser, shapes);
}

void PruneCommandOptions::DeclareChoice(Parser& parser) {
  parser.Group("what goes");
  parser.Option("--keep", "PATTERN", prune.keep,
                "layers that keep their width, by name (repeatable; * and ?)");
  parser.Option(
      "--importance", "NAME",
      [this](std::string_view name) -> Status {
        PARE_ASSIGN(prune.importance, compress::ParseImportance(name));
        return {};
      },
      "reconstruction (default), activation, taylor, l1, l2, bn, geometric-median or random");
  parser.Option(
      "--scope", "NAME",
      [this](std::string_view name) -> Status {
        if (name != "global" && name != "layer") {
          return Fail(ErrorKind::kUsage, Text("there is no scope \"", Printable(name), '"'),
                      "global and layer are there");
        }
        prune.scope =
            name == "layer" ? compress::PruneScope::kLayer : compress::PruneScope::kGlobal;
        return {};
      },
      "global (default): where it loses least; layer: the same part of every group");
  parser.Flag("--values", values,
              "the outputs are values, and no scores of classes: errors count, not answers");
  parser.Flag("--allow-inexact", prune.allow_inexact,
              "cut groups, too, whose channels a later operator mixes");
  const auto portable = [&](std::string name, bool value, std::string help) {
    parser.Option(
        std::move(name), "",
        [this, value](std::string_view) -> Status {
          prune.portable = value;
          return {};
        },
        std::move(help));
  };
  portable("--portable", true,
           "widths that other engines like as well: multiples of 8 or 4 channels (default)");
  portable("--no-portable", false, "any width");
}

void PruneCommandOptions::DeclareRecovery(Parser& parser) {
  parser.Group("recovery: what is left learns the model's answers, without labels");
  parser.Flag("--no-recover", no_recover, "don't train");
  parser.Option("--rounds", "N", rounds, 1,
                "cut and train N times on the way to the target, by equal factors; each round "
                "trains for --epochs or --steps and is written (default 1)");
  parser.Option("--alpha", "A", alpha, 0, 1,
                "the model's part in the loss; the rest is the labels' (default 1: none needed)");
  parser.Option("--temperature", "T", temperature, 1e-3, 1e3, "of soft logits (default 4)");
  training.DeclareTraining(parser);
}

Status PruneCommandOptions::CheckRecovery() const {
  const train::TrainOptions& train = training.train;
  const bool any = training.given_epochs || training.given_steps || training.given_rate || alpha ||
                   temperature || !train.checkpoint.empty() || train.resume;
  if (no_recover && any) {
    return Fail(ErrorKind::kUsage, "options of training were given, and --no-recover",
                "leave one of the two out");
  }
  return training.Check();
}

Status PruneCommandOptions::Check() const {
  if (list) return {};
  const auto fail = [](std::string reason, std::string advice) {
    return Fail(ErrorKind::kUsage, std::move(reason), std::move(advice));
  };
  if (training.data.path.empty()) {
    return fail("pruning needs samples, to judge and to verify",
                "give --data PATH; no labels are needed");
  }
  if (!sensitivity.empty()) return {};
  if (training.output.empty())
    return fail("nothing says where the pruned model goes", "give -o FILE");
  const int targets =
      macs.has_value() + size.has_value() + latency.has_value() + max_drop.has_value();
  if (targets > 1 || (targets == 0 && !depth)) {
    return fail("one target says how small the model shall be",
                "give one of --target-macs, --target-size, --target-latency and --max-drop, or "
                "--depth");
  }
  // A size is of the file, and what is written may be larger (float16 becomes float32).
  for (const auto& target : {macs, latency}) {
    if (!depth && target && target->relative && target->value >= 1)
      return fail("a target of 1x or more cuts nothing", "give one below 1x, as 0.5x");
  }
  if (rounds > 1 && (max_drop || depth))
    return fail("--rounds leads to a target of MACs, size or latency", "leave it out");
  if (no_measure && latency)
    return fail("--target-latency is measured, and --no-measure was given",
                "leave one of the two out");
  if (no_depth && depth)
    return fail("--depth and --no-depth were given", "leave one of the two out");
  return CheckRecovery();
}

}  // namespace pare::cli
