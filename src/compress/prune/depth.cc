#include "compress/prune/depth.h"

#include <algorithm>
#include <cmath>

#include "compress/prune/candidates.h"

namespace pare::compress {

Result<DepthCut> RemoveLeastBlocks(const graph::Graph& model, double depth,
                                   const std::vector<std::string>& keep, const OutputError& error,
                                   Progress& progress) {
  std::vector<ResidualBlock> left = FindBlocks(model);
  DepthCut cut{.graph = model, .removed = {}, .blocks = static_cast<int>(left.size()), .error = 0};
  const auto stay = std::max<int64_t>(1, std::lround(depth * static_cast<double>(left.size())));
  const int64_t wanted = std::ssize(left) - stay;
  std::erase_if(left,
                [&](const ResidualBlock& block) { return HasNamedLayer(model, block, keep); });
  std::vector<ResidualBlock> gone;  // in the order of the graph, as RemoveBlocks takes them
  const auto place = [](const ResidualBlock& a, const ResidualBlock& b) { return a.out < b.out; };
  progress.Stage("measuring blocks", wanted);
  while (std::ssize(gone) < wanted && !left.empty()) {
    size_t best = 0;
    double least = INFINITY;
    graph::Graph without;
    for (size_t i = 0; i < left.size(); ++i) {
      std::vector<ResidualBlock> all = gone;
      all.insert(std::ranges::upper_bound(all, left[i], place), left[i]);
      PARE_ASSIGN(graph::Graph tried, RemoveBlocks(model, all));
      PARE_ASSIGN(const PairScore score, error.Compare(tried, progress));
      if (!(score.relative_error() < least) && i > 0) continue;
      least = score.relative_error();
      best = i;
      without = std::move(tried);
    }
    cut.graph = std::move(without);
    cut.error = least;
    cut.removed.push_back(left[best].name);
    gone.insert(std::ranges::upper_bound(gone, left[best], place), left[best]);
    left.erase(left.begin() + static_cast<int64_t>(best));
    progress.Advance(1);
  }
  return cut;
}

}  // namespace pare::compress
