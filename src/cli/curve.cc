#include "cli/curve.h"

#include <algorithm>
#include <cmath>

#include "cli/text.h"

namespace pare::cli {
namespace {

using train::HistoryRow;

constexpr double kWidth = 720, kHeight = 360, kLeft = 60, kRight = 60, kTop = 30, kBottom = 40;

struct Range {
  double low = INFINITY, high = -INFINITY;
  void Add(double x) {
    if (!std::isfinite(x)) return;
    low = std::min(low, x);
    high = std::max(high, x);
  }
  double Place(double x) const { return high > low ? (x - low) / (high - low) : 0.5; }
};

double X(const Range& steps, double step) {
  return kLeft + steps.Place(step) * (kWidth - kLeft - kRight);
}
double Y(const Range& range, double value) {
  return kHeight - kBottom - range.Place(value) * (kHeight - kTop - kBottom);
}

std::string Label(double x, double y, std::string_view anchor, std::string_view color,
                  std::string_view text) {
  return Text("<text x=\"", Fixed(x, 1), "\" y=\"", Fixed(y, 1), "\" text-anchor=\"", anchor,
              "\" fill=\"", color, "\">", text, "</text>\n");
}

// One line of the picture, with its scale at `axis`.
std::string Line(const std::vector<HistoryRow>& history, double HistoryRow::* value,
                 const Range& steps, std::string_view color, std::string_view name, bool left) {
  Range range;
  for (const HistoryRow& row : history) range.Add(row.*value);
  if (range.low > range.high) return "";
  std::string points;
  for (const HistoryRow& row : history) {
    if (!std::isfinite(row.*value)) continue;
    points += Text(Fixed(X(steps, static_cast<double>(row.step)), 1), ',',
                   Fixed(Y(range, row.*value), 1), ' ');
  }
  const double at = left ? kLeft - 6 : kWidth - kRight + 6;
  const std::string_view anchor = left ? "end" : "start";
  return Text("<polyline fill=\"none\" stroke=\"", color, "\" stroke-width=\"1.5\" points=\"",
              points, "\"/>\n",
              Label(at, Y(range, range.high) + 4, anchor, color, Fixed(range.high, 3)),
              Label(at, Y(range, range.low) + 4, anchor, color, Fixed(range.low, 3)),
              Label(at, kTop - 12, anchor, color, name));
}

}  // namespace

std::string CurveCsv(const std::vector<HistoryRow>& history) {
  std::string text = "step,epoch,loss,rate,score,validation_loss,seconds\n";
  for (const HistoryRow& row : history) {
    const auto measured = [](double x) { return std::isfinite(x) ? Text(x) : std::string(); };
    text += Text(row.step, ',', row.epoch, ',', row.loss, ',', row.rate, ',', measured(row.score),
                 ',', measured(row.validation_loss), ',', row.seconds, '\n');
  }
  return text;
}

std::string CurveSvg(const std::vector<HistoryRow>& history, const std::string& score_name) {
  Range steps;
  for (const HistoryRow& row : history) steps.Add(static_cast<double>(row.step));
  std::string svg = Text("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 ", kWidth, ' ',
                         kHeight, "\" font-family=\"sans-serif\" font-size=\"11\">\n",
                         "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n");
  if (history.empty()) return svg + "</svg>\n";
  svg += Line(history, &HistoryRow::loss, steps, "#b03030", "loss", true);
  svg += Line(history, &HistoryRow::score, steps, "#3050b0", score_name, false);
  svg += Label(kLeft, kHeight - kBottom + 20, "start", "#444", Text("step ", history.front().step));
  svg += Label(kWidth - kRight, kHeight - kBottom + 20, "end", "#444",
               Text("step ", history.back().step));
  return svg + "</svg>\n";
}

}  // namespace pare::cli
