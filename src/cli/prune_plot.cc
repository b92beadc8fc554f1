// The plot of `pare prune --sensitivity`.
#include <algorithm>
#include <cmath>

#include "cli/prune_report.h"
#include "cli/text.h"

namespace pare::cli {
namespace {

constexpr double kPlotWidth = 900, kPlotHeight = 480, kPlotLeft = 60, kPlotRight = 260,
                 kPlotTop = 24, kPlotBottom = 40;
constexpr double kLeastError = 1e-6;  // smaller ones stand on the axis
constexpr const char* kColors[] = {"#b03030", "#3050b0", "#308030", "#a06000",
                                   "#7030a0", "#008080", "#606060", "#c05090"};

double PlotX(double gone) { return kPlotLeft + gone * (kPlotWidth - kPlotLeft - kPlotRight); }

// Errors by their magnitude, up to `most` (a power of ten).
double PlotY(double error, double most) {
  const double place =
      std::log10(std::max(error, kLeastError) / kLeastError) / std::log10(most / kLeastError);
  return kPlotHeight - kPlotBottom - place * (kPlotHeight - kPlotTop - kPlotBottom);
}

std::string PlotLabel(double x, double y, std::string_view anchor, std::string_view color,
                      std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    escaped += c == '<' ? "&lt;" : c == '&' ? "&amp;" : std::string(1, c);
  }
  return Text("<text x=\"", Fixed(x, 1), "\" y=\"", Fixed(y, 1), "\" text-anchor=\"", anchor,
              "\" fill=\"", color, "\">", escaped, "</text>\n");
}

std::string Grid(double most) {
  std::string svg;
  for (double error = kLeastError; error <= most * 1.001; error *= 10) {
    const double y = PlotY(error, most);
    svg += Text("<line x1=\"", Fixed(PlotX(0), 1), "\" x2=\"", Fixed(PlotX(1), 1), "\" y1=\"",
                Fixed(y, 1), "\" y2=\"", Fixed(y, 1), "\" stroke=\"#ddd\"/>\n",
                PlotLabel(PlotX(0) - 6, y + 4, "end", "#444", Text(error)));
  }
  for (int part = 0; part <= 4; ++part) {
    svg += PlotLabel(PlotX(0.25 * part), kPlotHeight - kPlotBottom + 18, "middle", "#444",
                     Text(25 * part, " %"));
  }
  return svg;
}

}  // namespace

std::string SensitivitySvg(const std::vector<compress::GroupSensitivity>& groups) {
  double most = 10 * kLeastError;
  for (const auto& group : groups) {
    for (const auto& point : group.points) {
      while (std::isfinite(point.error) && point.error > most) most *= 10;
    }
  }
  std::string svg = Text("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 ", kPlotWidth,
                         ' ', kPlotHeight, "\" font-family=\"sans-serif\" font-size=\"11\">\n",
                         "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n", Grid(most));
  for (size_t i = 0; i < groups.size(); ++i) {
    const char* color = kColors[i % std::size(kColors)];
    std::string points = Text(Fixed(PlotX(0), 1), ',', Fixed(PlotY(0, most), 1));
    double last = PlotY(0, most), end = 0;
    for (const auto& point : groups[i].points) {
      if (!std::isfinite(point.error)) continue;
      last = PlotY(point.error, most);
      end = PlotX(point.gone);
      points += Text(' ', Fixed(end, 1), ',', Fixed(last, 1));
    }
    const double legend = kPlotTop + 14 * static_cast<double>(i % 30);
    svg += Text("<polyline fill=\"none\" stroke=\"", color, "\" points=\"", points, "\"/>\n");
    svg += Text("<line x1=\"", Fixed(end, 1), "\" y1=\"", Fixed(last, 1), "\" x2=\"",
                Fixed(PlotX(1) + 20, 1), "\" y2=\"", Fixed(legend, 1), "\" stroke=\"", color,
                "\" stroke-width=\"0.3\"/>\n");
    svg += PlotLabel(PlotX(1) + 24, legend + 4, "start", color, Shortened(groups[i].name, 36));
  }
  return svg +
         PlotLabel(PlotX(0), kPlotTop - 10, "start", "#444",
                   "error of the outputs by the part of a group that is gone") +
         "</svg>\n";
}

}  // namespace pare::cli
