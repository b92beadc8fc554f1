#include "compress/prune/depth.h"

#include <algorithm>
#include <cmath>
#include <queue>

#include "compress/prune/candidates.h"

namespace pare::compress {
namespace {

// In the order of the graph, as RemoveBlocks takes them.
std::vector<ResidualBlock> InGraphOrder(std::vector<ResidualBlock> blocks) {
  std::ranges::sort(blocks, {}, &ResidualBlock::out);
  return blocks;
}

// What a block's removal added to the loss when so many others had gone.
struct Added {
  double loss;
  size_t block;
  size_t gone;
  friend bool operator>(const Added& a, const Added& b) {
    return a.loss != b.loss ? a.loss > b.loss : a.block > b.block;
  }
};

}  // namespace

Result<graph::Graph> WithoutFirst(const graph::Graph& graph, const BlockOrder& order,
                                  int64_t count) {
  return RemoveBlocks(graph, InGraphOrder({order.blocks.begin(), order.blocks.begin() + count}));
}

Result<BlockOrder> OrderBlocks(const graph::Graph& model, int64_t most, double hopeless,
                               const std::vector<std::string>& keep, const OutputError& error,
                               Progress& progress) {
  std::vector<ResidualBlock> blocks = FindBlocks(model);
  BlockOrder order;
  order.in_model = static_cast<int>(blocks.size());
  std::erase_if(blocks,
                [&](const ResidualBlock& block) { return HasNamedLayer(model, block, keep); });
  most = std::min(most, std::ssize(blocks));
  progress.Stage("measuring blocks", most);
  const auto added = [&](size_t block) -> Result<double> {
    std::vector<ResidualBlock> gone = order.blocks;
    gone.push_back(blocks[block]);
    PARE_ASSIGN(const graph::Graph tried, RemoveBlocks(model, InGraphOrder(std::move(gone))));
    PARE_ASSIGN(const PairScore score, error.Compare(tried, progress));
    const double loss = score.relative_error() - order.loss.back();
    return std::isfinite(loss) ? loss : INFINITY;
  };
  std::priority_queue<Added, std::vector<Added>, std::greater<>> queue;
  for (size_t i = 0; i < blocks.size() && most > 0; ++i) {
    PARE_ASSIGN(const double loss, added(i));
    queue.push({loss, i, 0});
  }
  while (std::ssize(order.blocks) < most && !queue.empty()) {
    Added next = queue.top();
    queue.pop();
    if (next.gone < order.blocks.size()) {
      PARE_ASSIGN(next.loss, added(next.block));
      next.gone = order.blocks.size();
      queue.push(next);
      continue;
    }
    // A loss that falls by chance as more goes would look like a gain.
    const double loss = order.loss.back() + std::max(next.loss, 0.0);
    if (!(loss <= hopeless)) break;
    order.blocks.push_back(blocks[next.block]);
    order.loss.push_back(loss);
    progress.Advance(1);
  }
  return order;
}

Result<DepthCut> RemoveLeastBlocks(const graph::Graph& model, double depth,
                                   const std::vector<std::string>& keep, const OutputError& error,
                                   Progress& progress) {
  const auto all = static_cast<int64_t>(FindBlocks(model).size());
  const int64_t stay = std::max<int64_t>(1, std::lround(depth * static_cast<double>(all)));
  PARE_ASSIGN(const BlockOrder order, OrderBlocks(model, std::max<int64_t>(all - stay, 0), INFINITY,
                                                  keep, error, progress));
  PARE_ASSIGN(graph::Graph left, WithoutFirst(model, order, std::ssize(order.blocks)));
  DepthCut cut{.graph = std::move(left),
               .removed = {},
               .blocks = order.in_model,
               .error = order.loss.back()};
  for (const ResidualBlock& block : order.blocks) cut.removed.push_back(block.name);
  return cut;
}

}  // namespace pare::compress
