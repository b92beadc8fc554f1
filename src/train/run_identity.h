// What the results of a run depend on, as lines "name: value": a checkpoint keeps them, so that a
// run that goes on is the same run, and is told what differs where it isn't.
#pragma once

#include <string>
#include <string_view>

#include "base/hash.h"
#include "base/status.h"

namespace pare::train {

struct TrainOptions;

// A name is the option that sets the value, where there is one ("--batch"), else what it is of.
class RunIdentity {
 public:
  template <typename Value>
  void Add(std::string_view name, const Value& value) {
    text_ += Text(text_.empty() ? "" : "\n", name, ": ", value);
  }
  void AddSwitch(std::string_view name, bool on) { Add(name, on ? "on" : "off"); }
  // A hash: messages don't show it.
  void AddHash(std::string_view name, uint64_t hash) { Add(name, Text('#', HexText(hash))); }
  // Each in a word of its own.
  template <typename List>
  void AddList(std::string_view name, const List& items) {
    std::string words;
    for (const auto& item : items) words += Text(words.empty() ? "" : " ", item);
    Add(name, words);
  }
  // Objective::Identity: "what, option value, option value …".
  void AddObjective(std::string_view identity);
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

// The lines that TrainOptions alone decide.
void AddOptions(const TrainOptions& options, RunIdentity& identity);

// What the lines of two identities differ in: "--epochs: the checkpoint was made with 12, this run
// has 20; …". "" where they are the same.
std::string IdentityDifferences(std::string_view checkpoint, std::string_view run);

}  // namespace pare::train
