#include "cli/report.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "cli/text.h"

namespace pare::cli {
namespace {

using compress::Bounds;
using compress::Comparison;
using compress::Interval;
using compress::LayerReport;
using compress::Quality;
using Align = Table::Align;

constexpr size_t kNotable = 5;     // layers of least fidelity that are shown
constexpr size_t kMostFloat = 20;  // layers in float that are shown
constexpr int kNameColumns = 44;

std::string Signed(double value, int digits) {
  return Text(value >= 0 ? "+" : "−", Fixed(std::abs(value), digits));
}

std::string TimeText(const Interval& ms) { return DurationInterval(ms.median, ms.low, ms.high); }

void AddQuality(Table& table, const Quality& quality) {
  if (quality.top1_a || quality.top1_b) {
    table.Add({"top-1", ShareText(quality.top1_a, quality.top1_a_bounds),
               ShareText(quality.top1_b, quality.top1_b_bounds),
               Points(quality.top1_a, quality.top1_b, quality.top1_change)});
  }
  if (quality.top5_a || quality.top5_b) {
    table.Add({"top-5", ShareText(quality.top5_a), ShareText(quality.top5_b),
               Points(quality.top5_a, quality.top5_b)});
  }
  if (quality.agreement)
    table.Add({"agreement", "", ShareText(quality.agreement, quality.agreement_bounds),
               "same first class"});
  const bool by_error =
      quality.metric == compress::Metric::kMse || quality.metric == compress::Metric::kPsnr;
  if (!by_error && quality.cosine)
    table.Add({"cosine", "", Fixed(*quality.cosine, 5), "of the outputs"});
  if (by_error && quality.mse) table.Add({"mse", "", Text(*quality.mse), "of the outputs"});
  if (by_error && quality.psnr) {
    const bool equal = std::isinf(*quality.psnr);
    table.Add({"psnr", "", equal ? "equal" : Fixed(*quality.psnr, 1) + " dB", "of their range"});
  }
  const auto number = [](double value) { return Text(value); };
  if (quality.values_a && quality.values_b) {
    const auto &a = *quality.values_a, &b = *quality.values_b;
    const auto share = [](std::optional<double> r2) { return r2 ? Fixed(*r2, 5) : "–"; };
    table.Add({"R²", share(a.r2), share(b.r2), "against the targets"});
    table.Add({"MAE", number(a.mae), number(b.mae), "mean absolute error"});
    table.Add({"RMSE", number(a.rmse), number(b.rmse), "root mean square error"});
  }
}

std::string SummaryText(const ComparisonView& view) {
  const Comparison& c = view.comparison;
  Table table({{"", Align::kLeft},
               {view.name_a, Align::kRight},
               {view.name_b, Align::kRight},
               {"", Align::kLeft}});
  AddQuality(table, c.quality);
  const double part =
      c.bytes_a > 0 ? 100.0 * static_cast<double>(c.bytes_b) / static_cast<double>(c.bytes_a) : 0;
  table.Add({"size", ByteText(c.bytes_a), ByteText(c.bytes_b), Fixed(part, 1) + " %"});
  if (c.time.sides.size() == 2) {
    table.Add({"time", TimeText(c.time.sides[0].ms), TimeText(c.time.sides[1].ms),
               Text(Fixed(c.time.speedup.median, 2), "× (", Fixed(c.time.speedup.low, 2), "–",
                    Fixed(c.time.speedup.high, 2), ')')});
  }
  std::string text = table.Text(2) + "  (in brackets: with 95 % confidence)\n";
  for (const std::string& line : Warnings(view)) text += Text('\n', line, '\n');
  return text;
}

std::string FloatLayersText(const std::vector<LayerReport>& layers) {
  Table table({{"", Align::kLeft, kNameColumns}, {"", Align::kLeft}, {"", Align::kLeft}});
  size_t count = 0;
  for (const LayerReport& layer : layers) {
    if (InFloat(layer) && ++count <= kMostFloat) table.Add({layer.name, layer.op, layer.reason});
  }
  if (count == 0) return "";
  return Text("\nlayers in float (", count, " of ", layers.size(), "):\n", table.Text(2),
              count > kMostFloat ? Text("  … and ", count - kMostFloat, " more (--layers)\n") : "");
}

Table LayerColumns() {
  return Table({{"layer", Align::kLeft, kNameColumns},
                {"op", Align::kLeft},
                {"type", Align::kLeft},
                {"SNR dB", Align::kRight},
                {"cosine", Align::kRight},
                {"before ms", Align::kRight},
                {"after ms", Align::kRight},
                {"", Align::kLeft}});
}

void AddLayer(Table& table, const LayerReport& layer) {
  const auto ms = [](std::optional<double> value) { return value ? Milliseconds(*value) : "–"; };
  table.Add({layer.name, layer.op, layer.precision, Fixed(layer.snr_db, 1), Fixed(layer.cosine, 4),
             ms(layer.a_ms), ms(layer.b_ms), layer.reason});
}

std::string WorstLayersText(const std::vector<LayerReport>& layers) {
  std::vector<const LayerReport*> measured;
  for (const LayerReport& layer : layers) {
    if (layer.snr_db && !InFloat(layer)) measured.push_back(&layer);
  }
  std::sort(measured.begin(), measured.end(), [](const LayerReport* a, const LayerReport* b) {
    return std::pair(*a->snr_db, a) < std::pair(*b->snr_db, b);  // of equals the first
  });
  if (measured.empty()) return "";
  measured.resize(std::min(measured.size(), kNotable));
  Table table = LayerColumns();
  for (const LayerReport* layer : measured) AddLayer(table, *layer);
  return "\nlayers that lose most (all: --layers):\n" + table.Text(2);
}

std::string AllLayersText(const std::vector<LayerReport>& layers) {
  Table table = LayerColumns();
  for (const LayerReport& layer : layers) AddLayer(table, layer);
  return "\nlayers:\n" + table.Text(2);
}

Json QualityJson(const Quality& q) {
  Json json = Json::Object({{"top1_a", q.top1_a},
                            {"top1_b", q.top1_b},
                            {"top5_a", q.top5_a},
                            {"top5_b", q.top5_b},
                            {"agreement", q.agreement},
                            {"cosine", q.cosine},
                            {"mse", q.mse},
                            {"psnr", q.psnr},
                            {"count", q.count},
                            {"metric", compress::MetricName(q.metric)}});
  SetBounds(json, "top1_a", q.top1_a_bounds);
  SetBounds(json, "top1_b", q.top1_b_bounds);
  SetBounds(json, "agreement", q.agreement_bounds);
  SetBounds(json, "top1_change", q.top1_change);
  SetValueErrors(json, "_a", q.values_a);
  SetValueErrors(json, "_b", q.values_b);
  return json;
}

// Of what engines without VNNI make of the model.
std::string SaturationText(const compress::Saturation& s) {
  const auto in_place_of = [](std::string_view name, std::optional<double> there,
                              std::optional<double> here) -> std::string {
    if (!there || !here) return "";
    return Text(", ", name, ' ', Fixed(*there, 2), " % in place of ", Fixed(*here, 2), " %");
  };
  return Text(
      "on engines without VNNI, where sums of two 8-bit products saturate at 16 bits, the "
      "squared error at the outputs is ",
      Fixed(s.times_the_error(), 1), " times as large",
      in_place_of("top-1", s.top1_saturating, s.top1),
      in_place_of("agreement", s.agreement_saturating, s.agreement), " (", s.samples,
      s.samples == 1 ? " sample" : " samples",
      "): for such engines quantize with --overflow-safe always, which gives all weights 7 "
      "bits; `pare evaluate --saturating` tells more");
}

}  // namespace

std::string ShareText(std::optional<double> percent, const std::optional<Bounds>& bounds) {
  if (!percent) return "–";
  const std::string share = Fixed(*percent, 2) + " %";
  if (!bounds) return share;
  return Text(share, " (", Fixed(bounds->low, 1), "–", Fixed(bounds->high, 1), ')');
}

std::string Points(std::optional<double> a, std::optional<double> b,
                   const std::optional<Bounds>& bounds) {
  if (!a || !b) return "";
  const std::string points = Signed(*b - *a, 2) + " points";
  if (!bounds) return points;
  return Text(points, " (", Signed(bounds->low, 1), " to ", Signed(bounds->high, 1), ')');
}

void SetBounds(Json& object, std::string_view name, const std::optional<Bounds>& bounds) {
  object.Set(Text(name, "_low"), bounds ? Json(bounds->low) : Json());
  object.Set(Text(name, "_high"), bounds ? Json(bounds->high) : Json());
}

// Where the time of `b` goes, by its layers' times.
std::string WhySlower(const Comparison& c) {
  double all = 0, in_float = 0, lost = 0;
  const LayerReport* slowest = nullptr;  // the one that loses most
  const auto loses = [](const LayerReport& layer) { return *layer.b_ms - *layer.a_ms; };
  for (const LayerReport& layer : c.layers) {
    if (!layer.a_ms || !layer.b_ms) continue;
    all += *layer.b_ms;
    if (InFloat(layer)) {
      in_float += *layer.b_ms;
    } else if (loses(layer) > 0) {
      lost += loses(layer);
      if (!slowest || loses(layer) > loses(*slowest)) slowest = &layer;
    }
  }
  if (all > 0 && in_float > 0.5 * all) {
    return Text("layers left in float take ", Fixed(100 * in_float / all, 0),
                " % of its time (their reasons: --layers)");
  }
  if (slowest && loses(*slowest) > std::max(0.5 * lost, 0.1 * all)) {
    return Text("most of that is lost in ", slowest->name, " (", slowest->op,
                "): ", Duration(*slowest->a_ms), " before, ", Duration(*slowest->b_ms),
                " after; --keep-float leaves it in float");
  }
  return "in layers this small, rounding and conversions cost more than the products save";
}

std::vector<std::string> Warnings(const ComparisonView& view) {
  const Comparison& c = view.comparison;
  std::vector<std::string> lines;
  if (!c.quantized) return lines;
  if (c.time.sides.size() == 2 && c.time.speedup.high < 1) {
    lines.push_back(Text("no gain in time: ", view.name_b, " takes ",
                         Fixed(1 / c.time.speedup.median, 2), "× as long as ", view.name_a, ": ",
                         WhySlower(c),
                         "; keep the float model here, or try a larger --batch (--force and "
                         "--target any, where they were "
                         "given, keep slower layers in int8)"));
  }
  if (c.bytes_b > c.bytes_a) {
    lines.push_back(
        Text("no gain in size: ", view.name_b, " is ", ByteText(c.bytes_b - c.bytes_a),
             " larger than ", view.name_a,
             ": scales, names and notes outweigh what so few weights save; keep the float model"));
  }
  if (c.saturation && c.saturation->notable()) lines.push_back(SaturationText(*c.saturation));
  return lines;
}

Json NotesJson(const std::vector<std::string>& notes, const ComparisonView& view) {
  Json all = Json::ArrayOf(notes);
  for (const std::string& line : Warnings(view)) all.Add(line);
  return all;
}

std::string ComparisonText(const ComparisonView& view) {
  const auto& layers = view.comparison.layers;
  std::string text = SummaryText(view);
  if (view.layers == LayerTable::kNone) return text;
  if (view.layers == LayerTable::kAll) return text + AllLayersText(layers);
  return text + FloatLayersText(layers) + WorstLayersText(layers);
}

void SetValueErrors(Json& object, std::string_view suffix,
                    const std::optional<compress::ValueErrors>& errors) {
  object.Set(Text("r2", suffix), errors ? Json(errors->r2) : Json());
  object.Set(Text("mae", suffix), errors ? Json(errors->mae) : Json());
  object.Set(Text("rmse", suffix), errors ? Json(errors->rmse) : Json());
}

Json SaturationJson(const std::optional<compress::Saturation>& saturation) {
  if (!saturation) return Json();
  return Json::Object({{"samples", saturation->samples},
                       {"snr_db", saturation->snr_db},
                       {"snr_db_saturating", saturation->snr_db_saturating},
                       {"agreement", saturation->agreement},
                       {"agreement_saturating", saturation->agreement_saturating},
                       {"top1", saturation->top1},
                       {"top1_saturating", saturation->top1_saturating}});
}

Json IntervalJson(const Interval& interval) {
  return Json::Object(
      {{"median", interval.median}, {"low", interval.low}, {"high", interval.high}});
}

void SetComparison(Json& object, const Comparison& c) {
  object.Set("quality", QualityJson(c.quality));
  Json time = Json::Object();
  const bool timed = c.time.sides.size() == 2;
  time.Set("a", timed ? IntervalJson(c.time.sides[0].ms) : Json());
  time.Set("b", timed ? IntervalJson(c.time.sides[1].ms) : Json());
  time.Set("speedup", timed ? Json(c.time.speedup.median) : Json());
  time.Set("speedup_low", timed ? Json(c.time.speedup.low) : Json());
  time.Set("speedup_high", timed ? Json(c.time.speedup.high) : Json());
  object.Set("time_ms", std::move(time));
  object.Set("bytes", Json::Object({{"a", c.bytes_a}, {"b", c.bytes_b}}));
  object.Set("layers", Json::ArrayOf(c.layers, [](const LayerReport& layer) {
               return Json::Object({{"name", layer.name},
                                    {"op", layer.op},
                                    {"precision", layer.precision},
                                    {"reason", layer.reason.empty() ? Json() : Json(layer.reason)},
                                    {"snr_db", layer.snr_db},
                                    {"cosine", layer.cosine},
                                    {"a_ms", layer.a_ms},
                                    {"b_ms", layer.b_ms}});
             }));
}

std::vector<LayerReport> JoinLayers(const std::vector<LayerReport>& decided,
                                    const std::vector<LayerReport>& measured) {
  std::vector<LayerReport> joined;
  std::map<std::string, size_t, std::less<>> index;
  // A convolution and the clamp that it absorbs are one layer.
  for (const LayerReport& layer : decided) {
    if (index.emplace(layer.name, joined.size()).second) joined.push_back(layer);
  }
  for (const LayerReport& layer : measured) {
    const auto [at, added] = index.emplace(layer.name, joined.size());
    if (added) {
      joined.push_back(layer);
      continue;
    }
    LayerReport& own = joined[at->second];
    own.snr_db = layer.snr_db;
    own.cosine = layer.cosine;
    own.a_ms = layer.a_ms;
    own.b_ms = layer.b_ms;
  }
  return joined;
}

}  // namespace pare::cli
