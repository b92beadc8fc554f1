// Walks all records: none may have a gap.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "ops/op_def.h"

namespace pare::ops {
namespace {

int SlotCount(const Slots& slots) {
  int count = 0;
  while (count < kMaxSlots && !slots[count].name.empty()) ++count;
  return count;
}

TEST(Registry, NamesAreUniqueAndFound) {
  std::set<std::string_view> names;
  for (const OpDef* op : AllOps()) {
    EXPECT_TRUE(names.insert(op->name).second) << op->name << " is listed twice";
    EXPECT_EQ(FindOp(op->name), op);
  }
  EXPECT_EQ(FindOp("NoSuchOperator"), nullptr);
}

TEST(Registry, EveryRecordIsComplete) {
  for (const OpDef* op : AllOps()) {
    SCOPED_TRACE(op->name);
    EXPECT_FALSE(op->name.empty());
    EXPECT_NE(op->infer, nullptr);
    EXPECT_NE(op->prepare, nullptr);
    EXPECT_GT(SlotCount(op->outputs), 0);
    EXPECT_TRUE(op->accuracy == Accuracy::kExact || op->cost) << "it computes something";
  }
}

TEST(Registry, SlotsAreInOrder) {
  for (const OpDef* op : AllOps()) {
    SCOPED_TRACE(op->name);
    for (const Slots* slots : {&op->inputs, &op->outputs}) {
      std::set<std::string_view> names;
      Presence last = Presence::kRequired;
      const int count = SlotCount(*slots);
      for (int i = 0; i < kMaxSlots; ++i) {
        const Slot& slot = (*slots)[i];
        EXPECT_EQ(slot.name.empty(), i >= count);
        if (slot.name.empty()) continue;
        EXPECT_TRUE(names.insert(slot.name).second) << slot.name;
        EXPECT_NE(last, Presence::kVariadic) << slot.name << " follows a variadic operand";
        last = slot.presence;
      }
    }
  }
}

TEST(Registry, EveryQuantizationRuleSaysWhat) {
  for (const OpDef* op : AllOps()) {
    SCOPED_TRACE(op->name);
    const QuantRule& rule = op->quant;
    const bool quantized = rule.integer || rule.same_scale;
    EXPECT_NE(quantized, !rule.keep_float.empty()) << "either a form or a reason";
    EXPECT_LE(rule.fixed_lo, rule.fixed_hi);
    EXPECT_TRUE(!quantized || rule.inputs[0].role != Role::kNone) << "no activation";
  }
}

TEST(Registry, EveryGradientIsThereOrSaysWhyNot) {
  for (const OpDef* op : AllOps()) {
    SCOPED_TRACE(op->name);
    const GradRule& rule = op->grad;
    EXPECT_NE(rule.emit != nullptr, !rule.none.empty()) << "either a gradient or a reason";
    EXPECT_EQ(rule.parameters & rule.late_parameters, 0u) << "an input is one or the other";
    const uint32_t named = rule.parameters | rule.late_parameters;
    EXPECT_TRUE(rule.emit || named == 0) << "its parameters would have no gradient";
    EXPECT_EQ(named >> SlotCount(op->inputs), 0u) << "it names an input that is not there";
    EXPECT_TRUE(!rule.fan_in || rule.parameters) << "a fan-in of weights that it does not name";
  }
}

TEST(Registry, EveryChannelRuleIsThereOrSaysWhyNot) {
  for (const OpDef* op : AllOps()) {
    SCOPED_TRACE(op->name);
    const ChannelRule& rule = op->channels;
    EXPECT_EQ((rule.tie != nullptr) + !rule.axes.empty() + !rule.none.empty(), 1)
        << "labels, a function, or a reason";
    EXPECT_TRUE(!rule.edit || rule.none.empty()) << "it mends what never changes";
    EXPECT_TRUE(rule.axes.empty() || rule.axes.find("->") != rule.axes.npos);
    EXPECT_LE(std::ranges::count(rule.axes.substr(0, rule.axes.find("->")), ','),
              SlotCount(op->inputs) - 1)
        << "it labels an input that is not there";
  }
}

}  // namespace
}  // namespace pare::ops
