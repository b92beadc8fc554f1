// Networks written as formulas, and training: from random weights, further, or by a teacher.
//
//   pare::Network net;
//   auto x = net.Input("x", {3, 32, 32});
//   auto h = Relu(net.BatchNorm(net.Conv(x, 16, 3)));
//   h = Relu(h + net.Conv(h, 16, 3));
//   net.Output("logits", net.Linear(GlobalAveragePool(h), 10));
//   auto trained = pare::Train(*net.Build(), data, {.epochs = 5});
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "pare/data.h"
#include "pare/model.h"

namespace pare {

// A value of a network: [batch, …], f32. Operands of arithmetic broadcast as NumPy's.
class Value {
 public:
  Value() = default;

 private:
  friend struct NetworkAccess;
  std::shared_ptr<const struct ValueImpl> impl_;
};

Value operator+(Value a, Value b);
Value operator-(Value a, Value b);
Value operator*(Value a, Value b);
Value MatMul(Value a, Value b);
Value Relu(Value x);
Value Gelu(Value x);
Value Sigmoid(Value x);
Value Tanh(Value x);
Value Softmax(Value x);            // along the last axis
Value MaxPool(Value x, int size);  // windows of size × size, as many pixels apart
Value GlobalAveragePool(Value x);  // [batch, channels, h, w] → [batch, channels]
Value Flatten(Value x);            // [batch, …] → [batch, n]

// A network in the making. Weights are random (He et al. 2015), by the seed. An error in a formula
// (shapes that don't fit) is kept, and returned by Build. Inputs and outputs all have names of
// their own; another one's, or none, is such an error, too (kUsage).
class Network {
 public:
  explicit Network(uint64_t seed = 0);
  ~Network();
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  Value Input(const std::string& name, const std::vector<int64_t>& shape);  // without the batch
  // [batch, …, n] → [batch, …, outputs]: x · W + b.
  Value Linear(Value x, int64_t outputs);
  // [batch, c, h, w] → [batch, channels, h', w']: size × size filters, padded by size / 2.
  Value Conv(Value x, int64_t channels, int64_t size, int64_t stride = 1, int64_t groups = 1);
  Value BatchNorm(Value x);
  Value LayerNorm(Value x);  // over the last axis
  void Output(const std::string& name, Value value);

  Result<Model> Build() const;

 private:
  std::shared_ptr<struct NetworkImpl> impl_;
};

// Where a training is: `done` of `total` units of a stage. In their order: "looking at the data",
// where there is a checkpoint (samples); "trying the learning rate R", once for each R, where none
// is given (steps); "training", or of a run that goes on "training from step N on" (the steps that
// are left).
struct TrainProgress {
  std::string stage;
  int64_t done = 0, total = 0;
  std::string now;  // loss and samples/s, in words
};

struct TrainOptions {
  PreprocessFields preprocess;  // what the model's metadata says, where empty; then stored there
  int64_t epochs = 0;           // 0: 10, or as many as make 200 steps
  int64_t steps = 0;            // > 0: instead of epochs
  int64_t batch = 64;
  int64_t parts = 1;                // that a batch is computed in, one after the other; divides it
  int64_t max_memory_mb = 0;        // of a step; 0: no limit
  std::string optimizer;            // sgd, adamw; empty: by the network (TrainResult::notes)
  double rate = 0;                  // the highest; 0: the best of some short trials around 0.05
                                    // for sgd, 0.001 for adamw
  std::string schedule = "cosine";  // constant, step, one-cycle
  int64_t warmup = 0;               // steps
  double momentum = 0.9;            // of sgd
  bool nesterov = false;
  double weight_decay = 0;
  std::optional<double> clip_norm;  // limit of the gradient's length; 0: none; else by the network
  double ema = 0;  // > 0: the weights averaged over the steps with this decay are the result
  int64_t validation = 1000;   // samples kept back, that choose the best weights; at most a quarter
  int64_t validate_every = 0;  // steps; 0: an epoch
  int64_t patience = 0;        // validations without a gain until it stops; 0: never
  uint64_t seed = 0;
  std::vector<std::string> freeze;      // glob patterns over the names of weights and nodes
  std::vector<std::string> train_only;  // the same; empty: all that is not frozen
  bool keep_zeros = false;  // weights of matrices and filters that are 0 stay 0: sparse models
  bool flip = false;        // augmentation of pictures
  int64_t crop_pad = 0;
  double mixup = 0;
  double smoothing = 0;             // of labels (Train), 0 … 1
  std::string target_loss = "mse";  // of TrainByTargets; huber, cosine
  // Of Distill: auto (soft for classifiers, else mse), soft, mse, huber, cosine.
  std::string loss = "auto";
  double temperature = 4, alpha = 1;  // of its soft loss; 1 − alpha is the labels' part
  std::string checkpoint;             // file that keeps the run (.npz), at each validation
  bool resume = false;                // go on from the checkpoint, where it is there
  int threads = 0;
  // Called after each step from the calling thread; false stops the run, after a checkpoint.
  std::function<bool(const TrainProgress&)> progress;
  // Called before a run ends with an error (stopped by `progress`, a loss that is not finite, data
  // that can't be read) whose validations found better weights than the start's: with the best.
  std::function<void(const struct TrainResult&)> rescue;
};

struct TrainResult {
  Model model;
  double score_before = 0, score_after = 0;  // 0 without validation samples
  int64_t steps = 0;
  double rate = 0;                 // the highest of learning
  double samples_per_second = 0;   // 0 where a checkpoint left no step to make
  std::vector<std::string> notes;  // what was chosen or taken for granted, and should be known
};

// Options out of their bounds are errors (kUsage) of all three, before anything is read; models
// whose matrices and filters are integers are errors (kUnsupported): train the float model.

// By the dataset's labels: cross-entropy of the first output; the score is top-1 in percent.
Result<TrainResult> Train(const Model& model, const Dataset& dataset,
                          const TrainOptions& options = {});
// By values: what the first output shall be for each sample of `dataset`, a row of `targets` each;
// the score is the part of the targets' variance that the outputs explain (R², at most 1), with the
// loss "cosine" the mean cosine. Flipped or shifted pictures are refused for targets of positions.
Result<TrainResult> TrainByTargets(const Model& model, const Dataset& dataset,
                                   const Dataset& targets, const TrainOptions& options = {});
// By the teacher's answers, without labels; the score is the agreement with the teacher in percent,
// of what is no classifier or has another loss than soft the error at the outputs in dB, Σ teacher²
// / Σ (student − teacher)², with the loss "cosine" the mean cosine.
Result<TrainResult> Distill(const Model& teacher, const Model& student, const Dataset& dataset,
                            const TrainOptions& options = {});

}  // namespace pare
