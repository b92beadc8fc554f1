#include "compress/distill/pairs.h"

#include <algorithm>
#include <cmath>

namespace pare::compress {
namespace {

using Layers = std::vector<TrunkLayer>;

constexpr std::string_view kPairings[] = {"auto", "name", "shape", "position"};

bool Comparable(const TrunkLayer& a, const TrunkLayer& b) {
  return a.shape.size() == b.shape.size() && a.channel_axis == b.channel_axis &&
         a.Extents() == b.Extents();
}

// Those that no later one of the same extents follows.
Layers LastOfEach(const Layers& layers) {
  Layers last;
  for (const TrunkLayer& layer : layers) {
    std::erase_if(last, [&](const TrunkLayer& other) { return Comparable(other, layer); });
    last.push_back(layer);
  }
  return last;
}

std::vector<LayerPair> ByName(const Layers& student, const Layers& teacher) {
  Layers shared;
  for (const TrunkLayer& layer : student) {
    const bool both = std::any_of(teacher.begin(), teacher.end(), [&](const TrunkLayer& other) {
      return other.name == layer.name && Comparable(other, layer);
    });
    if (both) shared.push_back(layer);
  }
  std::vector<LayerPair> pairs;
  for (const TrunkLayer& layer : LastOfEach(shared)) pairs.push_back({layer.name, layer.name});
  return pairs;
}

std::vector<LayerPair> ByShape(const Layers& student, const Layers& teacher) {
  std::vector<LayerPair> pairs;
  const Layers last = LastOfEach(teacher);
  for (const TrunkLayer& layer : LastOfEach(student)) {
    const auto other = std::find_if(last.begin(), last.end(), [&](const TrunkLayer& candidate) {
      return Comparable(layer, candidate);
    });
    if (other != last.end()) pairs.push_back({layer.name, other->name});
  }
  return pairs;
}

// Of those that `like` allows the one whose depth is nearest; the earlier of two that are alike.
template <typename Like>
const TrunkLayer* Nearest(const Layers& layers, double depth, const Like& like) {
  const TrunkLayer* nearest = nullptr;
  for (const TrunkLayer& layer : layers) {
    if (!like(layer)) continue;
    if (!nearest || std::abs(layer.depth - depth) < std::abs(nearest->depth - depth))
      nearest = &layer;
  }
  return nearest;
}

std::vector<LayerPair> ByPosition(const Layers& student, const Layers& teacher) {
  std::vector<LayerPair> pairs;
  for (double depth : {0.25, 0.5, 0.75}) {
    const TrunkLayer* own = Nearest(student, depth, [&](const TrunkLayer& layer) {
      return std::any_of(teacher.begin(), teacher.end(),
                         [&](const TrunkLayer& other) { return Comparable(layer, other); });
    });
    if (!own) continue;
    const TrunkLayer* other =
        Nearest(teacher, depth, [&](const TrunkLayer& layer) { return Comparable(layer, *own); });
    const LayerPair pair{own->name, other->name};
    if (std::find(pairs.begin(), pairs.end(), pair) == pairs.end()) pairs.push_back(pair);
  }
  return pairs;
}

std::vector<LayerPair> PairsBy(Pairing pairing, const Layers& student, const Layers& teacher) {
  switch (pairing) {
    case Pairing::kName:
      return ByName(student, teacher);
    case Pairing::kShape:
      return ByShape(student, teacher);
    case Pairing::kPosition:
      return ByPosition(student, teacher);
    case Pairing::kAuto:
      break;
  }
  for (Pairing each : {Pairing::kName, Pairing::kShape}) {
    auto pairs = PairsBy(each, student, teacher);
    if (!pairs.empty()) return pairs;
  }
  return ByPosition(student, teacher);
}

}  // namespace

Result<Pairing> ParsePairing(std::string_view name) {
  for (size_t i = 0; i < std::size(kPairings); ++i) {
    if (kPairings[i] == name) return static_cast<Pairing>(i);
  }
  return Fail(ErrorKind::kUsage, Text("\"", name, "\" is no way to pair layers"),
              "auto, name, shape or position; --hint STUDENT=TEACHER pairs two by their names");
}

Result<std::vector<LayerPair>> PairLayers(const Layers& student, const Layers& teacher,
                                          Pairing pairing) {
  auto pairs = PairsBy(pairing, student, teacher);
  if (!pairs.empty()) return pairs;
  return Fail(ErrorKind::kUsage,
              Text("--hints ", kPairings[static_cast<int>(pairing)],
                   " finds no layers of student and teacher that can be compared"),
              "--hint STUDENT=TEACHER pairs two of the same extents; `pare profile` lists the "
              "layers of each model");
}

std::string PairText(const LayerPair& pair) {
  return pair.student == pair.teacher ? pair.student : Text(pair.student, '=', pair.teacher);
}

}  // namespace pare::compress
