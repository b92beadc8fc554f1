// What a run needs to go on where it was stopped, to the same bits: an .npz of its states.
#pragma once

#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/npy.h"
#include "train/program.h"

namespace pare::train {

// One line of a run's history.
struct HistoryRow {
  int64_t step = 0;
  double epoch = 0, loss = 0, rate = 0;  // loss: the mean since the row before
  double score = 0;                      // on the validation samples; NaN where not measured
  double validation_loss = 0;            // on the same; NaN where the score has none
  double seconds = 0;                    // of the run so far
};

// How good a model is on samples that training doesn't see.
struct Scored {
  double score = 0;                 // the larger the better
  std::optional<double> loss = {};  // the smaller the better: of scores that are as good as equal
  double margin = 0;                // two scores are so where they differ by no more than this
  double error = 0;                 // the score's standard error, where it has one
  std::vector<bool> right = {};     // of each sample, where the score is the share of those
};

// What a short run at a learning rate left (train/choose_rate.h).
struct Trial {
  double rate = 0;
  double loss = std::numeric_limits<double>::infinity();  // that: it left no finite numbers
  double score = 0, slack = 0;  // what chance may take of the score; both 0 where none is measured

  bool finite() const { return loss < std::numeric_limits<double>::infinity(); }
  bool IsWorseScored(const Trial& than) const { return score < than.score - slack; }
};

struct RunState {
  int64_t step = 0;                 // done
  std::vector<Trial> trials;        // of rates, in the order in which they are made
  double rate = 0;                  // the highest, where the run chose it; 0: it has not
  Scored start;                     // of the weights that it began with
  double top_score = 0;             // the largest of all
  Scored best;                      // of the weights that are kept; its margin is not
  int64_t best_step = -1;           // −1: none yet
  std::vector<Tensor> best_states;  // then, in the order of the program's
  std::vector<HistoryRow> history;
  double loss_sum = 0;  // since the last row
  int64_t loss_count = 0;
};

// What a checkpoint must be of to go on from it.
struct RunKey {
  std::string identity;  // all that the run's results depend on (train/run_identity.h)
  int64_t steps = 0;     // of the whole run
};

// Begins the last line of an identity: what follows is TrainOptions::decisions, bytes of any kind.
inline constexpr std::string_view kDecisions = "\ndecided before: ";
// Of the run that a checkpoint is of.
Result<std::string> DecisionsIn(const std::string& path);

// Atomically. `run` names what must be the same to go on (options, data, model).
Status SaveCheckpoint(const std::string& path, const Program& program, const RunState& state,
                      const std::string& run);
// Puts the states into the program. Fails for a checkpoint of another run, and says what
// differs; what to do with a file that is none, or damaged, is the error's advice.
Result<RunState> LoadCheckpoint(const std::string& path, Program& program, const RunKey& run);
// The same from arrays, which may come from anywhere; `states` may be half overwritten where it
// fails.
Result<RunState> ReadCheckpoint(data::NamedTensors arrays, std::vector<State>& states,
                                const RunKey& run);

}  // namespace pare::train
