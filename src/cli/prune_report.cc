#include "cli/prune_report.h"

#include <algorithm>
#include <cmath>

#include "cli/report.h"
#include "cli/text.h"

namespace pare::cli {
namespace {

using Align = Table::Align;

Json GroupJson(const compress::PruneGroup& group) {
  return Json::Object({{"name", group.name},
                       {"size", group.size},
                       {"after", group.after},
                       {"channels", group.channels},
                       {"producers", group.producers},
                       {"consumers", group.consumers},
                       {"prunable", group.prunable},
                       {"why_not", group.why_not},
                       {"exact", group.exact},
                       {"why_inexact", group.why_inexact}});
}

std::string CutsText(const std::vector<compress::PruneGroup>& groups) {
  Table table({{"channels of", Align::kLeft, 40},
               {"before", Align::kRight},
               {"after", Align::kRight},
               {"", Align::kLeft, 60}});
  for (const compress::PruneGroup& group : groups) {
    table.Add({group.name, std::to_string(group.size * group.channels),
               std::to_string(group.after * group.channels),
               group.why_not.empty() ? "" : "stays: " + group.why_not});
  }
  return table.Text();
}

std::string CostsText(const PruneReport& report) {
  Table table({{"", Align::kLeft},
               {"model", Align::kRight},
               {"pruned", Align::kRight},
               {"", Align::kRight}});
  const auto row = [&](std::string name, double before, double after, auto text) {
    table.Add({std::move(name), text(before), text(after),
               before > 0 ? Fixed(after / before, 3) + "×" : ""});
  };
  const auto count = [](double value) { return CountText(std::llround(value)); };
  row("MACs", static_cast<double>(report.before.macs), static_cast<double>(report.after.macs),
      count);
  row("parameters", static_cast<double>(report.before.parameters),
      static_cast<double>(report.after.parameters), count);
  row(report.options.for_int8 ? "1 thread, int8" : "1 thread", report.ms_before, report.ms_after,
      [](double ms) { return Milliseconds(ms) + " ms"; });
  return table.Text(2);
}

std::string WorkText(const PruneReport& report) {
  std::string text;
  if (report.options.any_width())
    text += Text("judged by ", compress::ImportanceName(report.options.prune.importance));
  if (report.options.depth || !report.removed_blocks.empty()) {
    text += Text(text.empty() ? "" : ", ", report.removed_blocks.size(), " of ", report.blocks,
                 " residual blocks removed");
  }
  if (!report.reconstruction.layers.empty())
    text += Text(", ", report.reconstruction.layers.size(), " layers fitted on ",
                 report.calibration, " samples");
  if (!report.reconstruction.skipped.empty())
    text += Text(" (", report.reconstruction.skipped.size(), " could not be)");
  text += Text(" in ", Fixed(report.seconds, 1), " s");
  if (report.recovery) {
    const train::Trained& trained = report.recovery->trained;
    const std::string& name = report.recovery->score_name;
    const auto score = [&](double value) {
      return name == "cosine" ? Fixed(value, 5) : Fixed(value, 2) + (name == "snr" ? " dB" : " %");
    };
    text += Text(", recovered on ", report.recovery->training_samples, " samples in ",
                 trained.steps, " steps (", Fixed(trained.seconds, 1), " s)");
    if (report.recovery->validation_samples > 0) {
      text += Text(", ", report.recovery->score_name, " on ", report.recovery->validation_samples,
                   " others from ", score(report.recovery->score_before), " to ",
                   score(report.recovery->score_after));
    }
  }
  return text + Text(", verified on ", report.verification, " others\n");
}

Json RecoveryJson(const std::optional<TrainingReport>& recovery) {
  return recovery ? ToJson(*recovery) : Json();
}

}  // namespace

Json ToJson(const GroupList& list) {
  return Json::Object({{"groups", Json::ArrayOf(list.groups, GroupJson)}});
}

std::string ToText(const GroupList& list) {
  Table table({{"channels of", Align::kLeft, 40},
               {"units", Align::kRight},
               {"wide", Align::kRight},
               {"made by", Align::kRight},
               {"summed by", Align::kRight},
               {"", Align::kLeft},
               {"", Align::kLeft}});
  int prunable = 0;
  for (const compress::PruneGroup& group : list.groups) {
    const bool free = group.why_not.empty();
    prunable += free;
    table.Add({group.name, std::to_string(group.size), std::to_string(group.channels),
               std::to_string(group.producers), std::to_string(group.consumers),
               !free         ? "stays"
               : group.exact ? "prunable"
                             : "inexact",
               free ? group.why_inexact : group.why_not});
  }
  return Text(table.Text(), '\n', prunable, " of ", list.groups.size(),
              " groups can be pruned; what is inexact needs --allow-inexact\n");
}

Json ToJson(const PruneReport& report) {
  const auto side = [](const compress::ModelCost& cost, int64_t bytes, double ms) {
    return Json::Object(
        {{"macs", cost.macs}, {"parameters", cost.parameters}, {"bytes", bytes}, {"ms", ms}});
  };
  const auto fitted = [](const compress::RefittedLayer& layer) {
    return Json::Object({{"name", layer.name},
                         {"error_before", layer.error_before},
                         {"error_after", layer.error_after}});
  };
  Json json = Json::Object();
  json.Set("output", report.options.training.output);
  json.Set("importance", compress::ImportanceName(report.options.prune.importance));
  json.Set("for", report.options.for_int8 ? "int8" : "f32");
  json.Set("before", side(report.before, report.comparison.bytes_a, report.ms_before));
  json.Set("after", side(report.after, report.comparison.bytes_b, report.ms_after));
  json.Set("groups", Json::ArrayOf(report.groups, GroupJson));
  json.Set("blocks", report.blocks);
  json.Set("removed_blocks", Json::ArrayOf(report.removed_blocks));
  json.Set("fitted", Json::ArrayOf(report.reconstruction.layers, fitted));
  json.Set("not_fitted", Json::ArrayOf(report.reconstruction.skipped));
  json.Set("recovery", RecoveryJson(report.recovery));
  SetComparison(json, report.comparison);
  json.Set("calibration_samples", report.calibration);
  json.Set("verification_samples", report.verification);
  json.Set("seconds",
           Json::Object({{"prune", report.seconds}, {"verify", report.comparison.verify_seconds}}));
  json.Set("notes", Json::ArrayOf(report.notes));
  return json;
}

std::string ToText(const PruneReport& report) {
  const ComparisonView view{.comparison = report.comparison,
                            .name_a = "model",
                            .name_b = "pruned",
                            .layers = LayerTable::kNone};
  return Text(CutsText(report.groups), '\n', CostsText(report), '\n', ComparisonText(view), '\n',
              WorkText(report), "\nwrote ", Printable(report.options.training.output), '\n');
}

Json ToJson(const SensitivityReport& report) {
  const auto point = [](const compress::SensitivityPoint& p) {
    return Json::Object({{"gone", p.gone},
                         {"units", p.units},
                         {"error", p.error},
                         {"agreement", p.agreement},
                         {"ms", p.ms}});
  };
  const auto group = [&](const compress::GroupSensitivity& g) {
    return Json::Object(
        {{"name", g.name}, {"size", g.size}, {"points", Json::ArrayOf(g.points, point)}});
  };
  return Json::Object({{"plot", report.file},
                       {"ms", report.ms},
                       {"groups", Json::ArrayOf(report.groups, group)},
                       {"notes", Json::ArrayOf(report.notes)}});
}

std::string ToText(const SensitivityReport& report) {
  Table table({{"channels of", Align::kLeft, 40},
               {"units", Align::kRight},
               {"gone", Align::kRight},
               {"error", Align::kRight},
               {"agreement", Align::kRight},
               {"ms", Align::kRight}});
  for (const compress::GroupSensitivity& group : report.groups) {
    for (const compress::SensitivityPoint& point : group.points) {
      const bool first = &point == &group.points.front();
      table.Add({first ? group.name : "", first ? std::to_string(group.size) : "",
                 Fixed(100 * point.gone, 1) + " %", Fixed(point.error, 5),
                 point.agreement ? Fixed(*point.agreement, 1) + " %" : "–",
                 Milliseconds(point.ms)});
    }
  }
  return Text(table.Text(), "\nthe whole model takes ", Milliseconds(report.ms),
              " ms (1 thread); error: Σ (pruned − model)² / Σ model² of the outputs\n\nwrote ",
              Printable(report.file), '\n');
}

}  // namespace pare::cli
