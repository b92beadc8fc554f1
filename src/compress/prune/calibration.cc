#include "compress/prune/calibration.h"

#include <algorithm>
#include <mutex>

#include "compress/guarded.h"
#include "ops/node_view.h"
#include "passes/pipeline.h"

namespace pare::compress {
namespace {

using graph::Graph;

constexpr int64_t kSamplesOfBatch = 4;
constexpr int64_t kRowsOfColumn = 8, kLeastRows = 4096;  // of a fit
constexpr int64_t kRowBytes = int64_t{96} << 20;         // of one layer

// aᵀ·b of [r, n] and [r, m].
Result<std::unique_ptr<runtime::Session>> ProductSession(int64_t n, int64_t m,
                                                         const model::Context& context) {
  Graph graph;
  graph.opsets[""] = 21;
  const graph::Dim rows = graph::Dim::Symbol(graph.AddSymbol("rows"));
  const auto a = graph.AddInput("a", {DType::kF32, graph::Shape{rows, n}});
  const auto b = graph.AddInput("b", {DType::kF32, graph::Shape{rows, m}});
  const auto turned = graph.AddNode("Transpose", {a}, {"turned"}, {{"perm", graph::Ints{1, 0}}});
  const auto product = graph.AddNode("MatMul", {graph.node(turned).outputs[0], b}, {"product"});
  graph.AddOutput(graph.node(product).outputs[0], "product");
  PARE_TRY(ops::InferTypes(graph));
  return model::MakeSession(graph, context);
}

// [1 | x | y] by rows; y may be nothing.
Result<Tensor> BesideOnes(const Tensor& x, const Tensor& y) {
  const int64_t rows = x.shape()[0], n = x.shape()[1], m = y ? y.shape()[1] : 0;
  PARE_ASSIGN(Tensor joined, Tensor::Make(DType::kF32, {rows, 1 + n + m}));
  float* to = joined.mutable_as<float>().data();
  for (int64_t r = 0; r < rows; ++r) {
    *to++ = 1;
    to = std::copy_n(x.as<float>().data() + r * n, n, to);
    if (y) to = std::copy_n(y.as<float>().data() + r * m, m, to);
  }
  return joined;
}

// Takes over what [x]ᵀ·[1 | x | y] holds.
void AddProduct(Moments& to, const Tensor& product) {
  const float* from = product.as<float>().data();
  for (int64_t i = 0; i < to.columns; ++i) {
    to.x[i] += *from++;
    for (int64_t k = 0; k < to.columns; ++k) to.xx[i * to.columns + k] += *from++;
    for (int64_t j = 0; j < to.outputs; ++j) to.xy[i * to.outputs + j] += *from++;
  }
}

void AddOutputs(Moments& to, const Tensor& y) {
  const auto values = y.as<float>();
  for (size_t i = 0; i < values.size(); ++i) {
    const size_t j = i % static_cast<size_t>(to.outputs);
    to.y[j] += values[i];
    to.yy[j] += double{values[i]} * values[i];
  }
}

}  // namespace

Result<CalibrationBatches> CalibrationBatches::Load(std::shared_ptr<const data::Dataset> dataset,
                                                    std::vector<data::InputSpec> specs,
                                                    std::vector<int64_t> indices,
                                                    const data::Preprocess& preprocess,
                                                    Progress& progress) {
  CalibrationBatches calibration;
  progress.Stage("reading samples", std::ssize(indices));
  PARE_ASSIGN(
      data::Loader loader,
      data::Loader::Make(std::move(dataset), std::move(specs), std::move(indices),
                         {.batch = kSamplesOfBatch, .preprocess = preprocess, .prefetch = true}));
  calibration.batch_ = loader.batch();
  while (true) {
    PARE_TRY(progress.Check());
    PARE_ASSIGN(auto batch, loader.Next());
    if (!batch) return calibration;
    progress.Advance(batch->count());
    calibration.first_.push_back(calibration.samples_);
    calibration.samples_ += batch->count();
    calibration.batches_.push_back(*std::move(batch));
  }
}

int64_t CalibrationBatches::PlacesFor(int64_t columns, int64_t outputs) const {
  const int64_t wanted = std::max(kLeastRows, kRowsOfColumn * columns);
  const int64_t most =
      std::max<int64_t>(1, kRowBytes / (std::max(columns, outputs) * int64_t{sizeof(float)}));
  const int64_t samples = std::max<int64_t>(1, samples_);
  return std::max<int64_t>(1, (std::min(wanted, most) + samples - 1) / samples);
}

RowChoice CalibrationBatches::Choice(size_t batch, int64_t per_sample) const {
  const data::Batch& of = batches_[batch];
  // The last batch has fewer rows where the graph leaves their number open.
  const int64_t rows =
      of.inputs.empty() || of.inputs[0].rank() == 0 ? batch_ : of.inputs[0].shape()[0];
  return {.samples = std::max<int64_t>(1, rows),
          .first = first_[batch],
          .per_sample = per_sample,
          .valid = of.count()};
}

Status CalibrationBatches::Run(const Graph& graph, std::span<const graph::ValueId> values,
                               const model::Context& context, Progress& progress, Look look) const {
  Graph part = graph;
  part.ClearOutputs();
  for (graph::ValueId id : values) part.AddOutput(id, graph.value(id).name);
  part.RemoveDead();
  PARE_TRY(passes::Simplify(part));
  PARE_ASSIGN(const auto session, model::MakeSession(part, context));
  return SideBySide(*context.pool, batches_.size(), [&](size_t i) -> Status {
    PARE_TRY(progress.Check());
    std::vector<Tensor> seen(values.size());
    if (Status ran = session->Run(batches_[i].inputs, seen); !ran)
      return Fail(data::OfSamples(ran.error(), batches_[i]));
    return look(i, seen);
  });
}

Result<SplitMoments> SumMoments(const Rows& x, const Rows& y, const model::Context& context) {
  SplitMoments sums;
  std::unique_ptr<runtime::Session> session;
  for (size_t i = 0; i < x.size(); ++i) {
    if (!x[i] || x[i].count() == 0) continue;
    const Tensor right = y.empty() ? Tensor() : y[i];
    const int64_t n = x[i].shape()[1], m = right ? right.shape()[1] : 0;
    if (!session) {
      sums.fit = sums.held = Moments(n, m);
      PARE_ASSIGN(session, ProductSession(n, 1 + n + m, context));
    }
    PARE_ASSIGN(const Tensor joined, BesideOnes(x[i], right));
    const Tensor inputs[] = {x[i], joined};
    Tensor product[1];
    PARE_TRY(session->Run(inputs, product));
    Moments& to = x.size() >= kHeldEvery && i % kHeldEvery == kHeldEvery - 1 ? sums.held : sums.fit;
    to.rows += x[i].shape()[0];
    AddProduct(to, product[0]);
    if (right) AddOutputs(to, right);
  }
  return sums;
}

}  // namespace pare::compress
