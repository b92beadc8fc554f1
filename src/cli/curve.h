// The history of a training run: as a table of numbers, and as a picture.
#pragma once

#include <string>
#include <vector>

#include "train/checkpoint.h"

namespace pare::cli {

// step,epoch,loss,rate,score,validation_loss,seconds; the two before the last are empty where they
// were not measured.
std::string CurveCsv(const std::vector<train::HistoryRow>& history);
// Loss and score over the steps: an SVG that stands alone.
std::string CurveSvg(const std::vector<train::HistoryRow>& history, const std::string& score_name);

}  // namespace pare::cli
