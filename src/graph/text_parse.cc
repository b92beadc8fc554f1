// A recursive-descent parser, line by line. The text may come from anybody: every read is bounded
// by the line, and sizes are checked before memory is asked for.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <random>

#include "graph/text.h"

namespace pare::graph {
namespace {

bool IsBare(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '.' || c == '/' || c == '-';
}

class Line {
 public:
  explicit Line(std::string_view text) : text_(text) { Skip(); }

  bool done() const { return at_ == text_.size(); }
  char peek() const { return done() ? '\0' : text_[at_]; }
  bool Take(char c) {
    if (peek() != c) return false;
    ++at_;
    Skip();
    return true;
  }
  Status Expect(char c) {
    if (!Take(c)) return Invalid(Text("'", c, "' is expected", Here()));
    return {};
  }
  bool quoted() const { return peek() == '"'; }

  // A run of bare characters, maybe empty. `more` are further characters that it may hold.
  std::string_view Word(std::string_view more = "") {
    const size_t begin = at_;
    while (!done() && (IsBare(text_[at_]) || more.find(text_[at_]) != more.npos)) ++at_;
    const std::string_view word = text_.substr(begin, at_ - begin);
    Skip();
    return word;
  }

  Result<std::string> Name() {
    if (quoted()) return String();
    const std::string_view word = Word();
    if (word.empty()) return Invalid(Text("a name is expected", Here()));
    return std::string(word);
  }

  Result<std::string> String() {
    if (!quoted()) return Invalid(Text("a string is expected", Here()));
    std::string out;
    for (++at_; !done() && text_[at_] != '"'; ++at_) {
      if (text_[at_] != '\\') {
        out += text_[at_];
      } else {
        PARE_TRY(Escape(out));
      }
    }
    if (done()) return Invalid("a string has no closing quote");
    ++at_;
    Skip();
    return out;
  }

  template <typename T>
  Result<T> Number() {
    const std::string_view word = Word("+");
    T value{};
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
    if (word.empty() || error != std::errc() || end != word.data() + word.size()) {
      return Invalid(Text("\"", word, "\" is no number that fits here", Here()));
    }
    return value;
  }

  std::string Here() const { return Text(" at column ", at_ + 1); }

 private:
  void Skip() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\r')) {
      ++at_;
    }
  }
  Status Escape(std::string& out) {
    if (++at_ == text_.size()) return Invalid("a string ends within an escape");
    const char c = text_[at_];
    if (c != 'x') {
      out += c == 'n' ? '\n' : c == 't' ? '\t' : c;
      return {};
    }
    unsigned byte = 0;
    const std::string_view digits = text_.substr(at_ + 1, 2);
    const auto end = std::from_chars(digits.data(), digits.data() + digits.size(), byte, 16).ptr;
    if (digits.size() != 2 || end != digits.data() + 2) return Invalid("\\x needs two digits");
    out += static_cast<char>(byte);
    at_ += 2;
    return {};
  }

  std::string_view text_;
  size_t at_ = 0;
};

constexpr int64_t kMaxElements = int64_t{1} << 24;

template <typename T>
T ElementOf(double value) {
  if constexpr (std::is_same_v<T, Half>) {
    return ToHalf(static_cast<float>(value));
  } else if constexpr (std::is_same_v<T, BFloat16>) {
    return ToBFloat16(static_cast<float>(value));
  } else if constexpr (std::is_same_v<T, bool>) {
    return value != 0;
  } else if constexpr (std::is_integral_v<T>) {
    constexpr auto kLow = static_cast<double>(std::numeric_limits<T>::min());
    // The largest 64-bit integers are no doubles: stop at the last one that is.
    constexpr auto kHigh = static_cast<double>(std::numeric_limits<T>::max() -
                                               static_cast<T>(sizeof(T) == 8 ? 2047 : 0));
    return static_cast<T>(std::clamp(std::isnan(value) ? 0 : value, kLow, kHigh));
  } else {
    return static_cast<T>(value);
  }
}

class Parser {
 public:
  Result<Graph> Parse(std::string_view text) {
    for (int number = 1; !text.empty(); ++number) {
      const size_t end = std::min(text.find('\n'), text.size());
      const Status status = ParseLine(text.substr(0, end));
      if (!status) return Fail(status.error().at(Text("line ", number)));
      text.remove_prefix(std::min(end + 1, text.size()));
    }
    return std::move(graph_);
  }

 private:
  Status ParseLine(std::string_view text) {
    Line line(text);
    if (line.done() || line.peek() == '#') return {};
    if (!line.quoted()) {
      Line after = line;
      const std::string_view word = after.Word();
      // A keyword is one only where a name follows, so that a result may be called "input".
      const bool keyword = IsBare(after.peek()) || after.quoted();
      if (keyword && word == "graph") return ParseGraphName(after);
      if (keyword && word == "opset") return ParseOpset(after);
      if (keyword && word == "input") return ParseInput(after);
      if (keyword && word == "const") return ParseStored(after, ValueKind::kConstant);
      if (keyword && word == "param") return ParseStored(after, ValueKind::kParameter);
      if (keyword && word == "state") return ParseStored(after, ValueKind::kState);
      if (keyword && word == "output") return ParseOutput(after);
      if (keyword && word == "assign") return ParseAssign(after);
    }
    return ParseNode(line);
  }

  static Status End(Line& line) {
    if (!line.done() && line.peek() != '#') {
      return Invalid(Text("the rest of the line is not understood", line.Here()));
    }
    return {};
  }

  Status ParseGraphName(Line& line) {
    PARE_ASSIGN(graph_.name, line.Name());
    return End(line);
  }

  Status ParseOpset(Line& line) {
    std::string domain;
    Line ahead = line;
    const bool number_alone = ahead.Number<int64_t>() && (ahead.done() || ahead.peek() == '#');
    if (!number_alone) {
      PARE_ASSIGN(domain, line.Name());
    }
    PARE_ASSIGN(graph_.opsets[domain], line.Number<int64_t>());
    return End(line);
  }

  Result<Dim> ParseDim(Line& line) {
    if (line.Take('?')) return Dim::Unknown();
    if (!line.quoted() && line.peek() >= '0' && line.peek() <= '9') {
      PARE_ASSIGN(const int64_t size, line.Number<int64_t>());
      return Dim(size);
    }
    PARE_ASSIGN(std::string symbol, line.Name());
    return Dim::Symbol(graph_.AddSymbol(std::move(symbol)));
  }

  Result<TensorType> ParseType(Line& line) {
    TensorType type;
    if (!line.Take('?')) {
      const std::string_view name = line.Word();
      type.dtype = DTypeFromName(name);
      if (type.dtype == DType::kNone) {
        return Invalid(Text("\"", name, "\" is no element type", line.Here()));
      }
    }
    if (!line.Take('[')) return type;
    type.shape.emplace();
    while (!line.Take(']')) {
      if (!type.shape->empty()) PARE_TRY(line.Expect(','));
      PARE_ASSIGN(const Dim dim, ParseDim(line));
      type.shape->push_back(dim);
    }
    return type;
  }

  static auto GivenTwice(std::string_view name) {
    return Invalid(Text("the name \"", name, "\" is given twice"));
  }

  Result<std::string> NewName(Line& line) {
    PARE_ASSIGN(std::string name, line.Name());
    if (graph_.FindValue(name) != ValueId::kNone) return GivenTwice(name);
    return name;
  }

  Status ParseInput(Line& line) {
    PARE_ASSIGN(std::string name, NewName(line));
    TensorType type;
    if (line.Take(':')) {
      PARE_ASSIGN(type, ParseType(line));
    }
    graph_.AddInput(std::move(name), std::move(type));
    return End(line);
  }

  Status ParseStored(Line& line, ValueKind kind) {
    PARE_ASSIGN(std::string name, NewName(line));
    PARE_TRY(line.Expect(':'));
    PARE_ASSIGN(Tensor tensor, ParseTensor(line));
    graph_.AddConstant(std::move(name), std::move(tensor), kind);
    return End(line);
  }

  // `f32[2] = [1,2]`
  Result<Tensor> ParseTensor(Line& line) {
    PARE_ASSIGN(const TensorType type, ParseType(line));
    if (type.dtype == DType::kNone || !type.is_static()) {
      return Invalid("a constant needs an element type and a shape of sizes");
    }
    PARE_ASSIGN(const int64_t count, CountOf(type.dims()));
    if (count > kMaxElements) return Invalid("the constant is too large for a text");
    PARE_TRY(line.Expect('='));
    PARE_ASSIGN(Tensor tensor, Tensor::Zeros(type.dtype, type.dims()));
    Status status;
    VisitDType(type.dtype, [&]<typename T>(T) { status = Fill(line, tensor.mutable_as<T>()); });
    PARE_TRY(status);
    return tensor;
  }

  template <typename T>
  static Result<T> ParseElement(Line& line) {
    if constexpr (std::is_integral_v<T> && sizeof(T) == 8) {
      return line.Number<T>();
    } else {
      PARE_ASSIGN(const double value, line.Number<double>());
      return ElementOf<T>(value);
    }
  }

  template <typename T>
  static Status Fill(Line& line, std::span<T> out) {
    if (line.Take('[')) {
      for (size_t i = 0; i < out.size(); ++i) {
        if (i) PARE_TRY(line.Expect(','));
        PARE_ASSIGN(out[i], ParseElement<T>(line));
      }
      return line.Expect(']');
    }
    Line ahead = line;
    const std::string_view word = ahead.Word();
    if (!ahead.Take('(')) {
      PARE_ASSIGN(const T value, ParseElement<T>(line));
      std::fill(out.begin(), out.end(), value);
      return {};
    }
    line = ahead;
    if (word == "fill") {
      PARE_ASSIGN(const T value, ParseElement<T>(line));
      std::fill(out.begin(), out.end(), value);
    } else if (word == "iota") {
      for (size_t i = 0; i < out.size(); ++i) out[i] = ElementOf<T>(static_cast<double>(i));
    } else if (word == "random") {
      PARE_TRY(FillRandom(line, out));
    } else {
      return Invalid(Text("a constant can't be read from ", word, "(…)"));
    }
    return line.Expect(')');
  }

  template <typename T>
  static Status FillRandom(Line& line, std::span<T> out) {
    PARE_ASSIGN(const uint32_t seed, line.Number<uint32_t>());
    PARE_TRY(line.Expect(','));
    PARE_ASSIGN(const double low, line.Number<double>());
    PARE_TRY(line.Expect(','));
    PARE_ASSIGN(const double high, line.Number<double>());
    std::mt19937 generator(seed);
    for (T& element : out) {
      const double unit = generator() / 4294967296.0;
      element = ElementOf<T>(low + unit * (high - low));
    }
    return {};
  }

  Status ParseNode(Line& line) {
    std::vector<std::string> names;
    std::vector<TensorType> types;
    std::vector<bool> absent;
    while (line.peek() != '=') {
      if (!names.empty()) PARE_TRY(line.Expect(','));
      const bool quoted = line.quoted();
      PARE_ASSIGN(std::string name, line.Name());
      absent.push_back(name.size() == 1 && name[0] == '_' && !quoted);
      // An absent output has a name that is nobody's until it is removed below.
      if (absent.back()) name = std::string("\0absent", 7);
      if (!absent.back() && graph_.FindValue(name) != ValueId::kNone) return GivenTwice(name);
      TensorType type;
      if (line.Take(':')) {
        PARE_ASSIGN(type, ParseType(line));
      }
      names.push_back(std::move(name));
      types.push_back(std::move(type));
    }
    PARE_TRY(line.Expect('='));
    PARE_ASSIGN(std::string op, line.Name());
    PARE_ASSIGN(std::vector<ValueId> inputs, ParseOperands(line));
    PARE_ASSIGN(Attrs attrs, ParseAttrs(line));
    std::string name;
    if (line.Take('#') && !line.done()) {
      PARE_ASSIGN(name, line.Name());
    }
    PARE_TRY(End(line));
    const NodeId id = graph_.AddNode(std::move(op), std::move(inputs), std::move(names),
                                     std::move(attrs), std::move(name));
    for (size_t i = 0; i < types.size(); ++i) {
      if (absent[i]) {
        graph_.RemoveOutput(id, static_cast<int>(i));
      } else {
        graph_.SetType(graph_.node(id).outputs[i], types[i]);
      }
    }
    return {};
  }

  Result<ValueId> Find(Line& line) {
    const bool quoted = line.quoted();
    PARE_ASSIGN(const std::string name, line.Name());
    if (name == "_" && !quoted) return ValueId::kNone;
    const ValueId id = graph_.FindValue(name);
    if (id == ValueId::kNone) return Invalid(Text("\"", name, "\" is used before it is made"));
    return id;
  }

  Result<std::vector<ValueId>> ParseOperands(Line& line) {
    std::vector<ValueId> inputs;
    PARE_TRY(line.Expect('('));
    while (!line.Take(')')) {
      if (!inputs.empty()) PARE_TRY(line.Expect(','));
      PARE_ASSIGN(const ValueId id, Find(line));
      inputs.push_back(id);
    }
    return inputs;
  }

  Result<Attrs> ParseAttrs(Line& line) {
    Attrs attrs;
    if (!line.Take('{')) return attrs;
    while (!line.Take('}')) {
      if (!attrs.empty()) PARE_TRY(line.Expect(','));
      PARE_ASSIGN(const std::string name, line.Name());
      PARE_TRY(line.Expect('='));
      PARE_ASSIGN(AttrValue value, ParseAttr(line));
      attrs.set(name, std::move(value));
    }
    return attrs;
  }

  // A number with a point, an exponent, or of infinite size is a float.
  static Result<AttrValue> ParseNumber(Line& line) {
    Line ahead = line;
    const std::string_view word = ahead.Word("+");
    if (word.find_first_not_of("-0123456789") == word.npos) {
      PARE_ASSIGN(const int64_t value, line.Number<int64_t>());
      return AttrValue(value);
    }
    PARE_ASSIGN(const float value, line.Number<float>());
    return AttrValue(value);
  }

  Result<AttrValue> ParseAttr(Line& line) {
    if (line.quoted()) {
      PARE_ASSIGN(std::string value, line.String());
      return AttrValue(std::move(value));
    }
    if (line.Take('[')) return ParseList(line);
    Line ahead = line;
    const std::string_view word = ahead.Word();
    if (DTypeFromName(word) != DType::kNone) {
      PARE_ASSIGN(Tensor tensor, ParseTensor(line));
      return AttrValue(std::move(tensor));
    }
    if (word == "opaque" || word == "floats" || word == "strings") line = ahead;
    if (word == "floats") return AttrValue(Floats());
    if (word == "strings") return AttrValue(Strings());
    if (word != "opaque") return ParseNumber(line);
    PARE_ASSIGN(std::string bytes, line.String());
    return AttrValue(OpaqueAttr{std::move(bytes)});
  }

  static Result<AttrValue> ParseList(Line& line) {
    Ints ints;
    Floats floats;
    Strings strings;
    while (!line.Take(']')) {
      if (!ints.empty() || !floats.empty() || !strings.empty()) PARE_TRY(line.Expect(','));
      if (line.quoted()) {
        PARE_ASSIGN(std::string value, line.String());
        strings.push_back(std::move(value));
        continue;
      }
      PARE_ASSIGN(const AttrValue value, ParseNumber(line));
      if (const int64_t* integer = std::get_if<int64_t>(&value)) {
        ints.push_back(*integer);
      } else {
        floats.push_back(std::get<float>(value));
      }
    }
    if (!ints.empty() + !floats.empty() + !strings.empty() > 1) {
      return Invalid("a list has elements of different types");
    }
    if (!strings.empty()) return AttrValue(std::move(strings));
    if (!floats.empty()) return AttrValue(std::move(floats));
    return AttrValue(std::move(ints));
  }

  Status ParseOutput(Line& line) {
    PARE_ASSIGN(const ValueId value, Find(line));
    if (value == ValueId::kNone) return Invalid("an output needs a value");
    std::string name = graph_.value(value).name;
    Line ahead = line;
    if (ahead.Word() == "as") {
      PARE_ASSIGN(name, ahead.Name());
      line = ahead;
    }
    graph_.AddOutput(value, std::move(name));
    return End(line);
  }

  Status ParseAssign(Line& line) {
    PARE_ASSIGN(const ValueId state, Find(line));
    PARE_TRY(line.Expect('='));
    PARE_ASSIGN(const ValueId value, Find(line));
    if (state == ValueId::kNone || value == ValueId::kNone) {
      return Invalid("an assignment needs a state and a value");
    }
    graph_.Assign(state, value);
    return End(line);
  }

  Graph graph_;
};

}  // namespace

Result<Graph> Parse(std::string_view text) { return Parser().Parse(text); }

}  // namespace pare::graph
