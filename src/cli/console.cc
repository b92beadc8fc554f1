#include "cli/console.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <ostream>

#include "cli/exit_code.h"
#include "cli/text.h"
#include "platform/signal.h"

namespace pare::cli {
namespace {

constexpr double kRedrawSeconds = 0.1;  // of a bar
constexpr double kRepeatSeconds = 10;   // of a line, where there is no terminal
constexpr double kTellSeconds = 2;      // before which no time left is told
constexpr std::string_view kRed = "31", kYellow = "33";

std::string Bar(double fraction, int columns) {
  const int full = static_cast<int>(fraction * columns);
  std::string bar;
  for (int i = 0; i < columns; ++i) bar += i < full ? "━" : "╌";
  return bar;
}

}  // namespace

ConsoleStyle ConsoleStyle::Detect() {
  ConsoleStyle style;
  const char* term = std::getenv("TERM");
  const char* no_color = std::getenv("NO_COLOR");
  style.terminal = isatty(STDERR_FILENO) && term && std::string_view(term) != "dumb";
  style.color = style.terminal && !(no_color && *no_color);
  winsize size{};
  if (style.terminal && ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20) {
    style.columns = size.ws_col;
  }
  return style;
}

Status Console::Print(std::string_view text) {
  EndStage();
  out_ << text << std::flush;
  if (out_) return {};
  return Fail(ErrorKind::kIo, "the result could not be written to standard output",
              "the disk may be full, or the reader of the pipe has ended");
}

std::string Console::Colored(std::string_view code, std::string_view text) const {
  return style_.color ? Text("\033[", code, 'm', text, "\033[0m") : std::string(text);
}

void Console::PrintLines(std::string_view color, std::string_view head, std::string_view text) {
  err_ << Colored(color, head) << ' ';
  while (true) {
    const size_t end = text.find('\n');
    err_ << Printable(text.substr(0, end)) << std::endl;
    if (end == std::string_view::npos) return;
    text.remove_prefix(end + 1);
    // Below the first line's text; the advice of an error stands there already.
    if (!text.starts_with(' ')) err_ << std::string(head.size() + 1, ' ');
  }
}

void Console::ShowError(const Error& error) {
  EndStage();
  const std::string message = error.message();
  PrintLines(kRed, "pare:", message);
  if (!json_) return;
  const ExitCode& code = ExitCodeOf(error.kind());
  const std::string_view advice = error.advice();
  std::string reason = advice.empty() ? message : message.substr(0, message.size() - advice.size());
  reason.erase(reason.find_last_not_of(" \n") + 1);
  Json json = unmet_ ? *std::move(unmet_) : Json::Object();
  json.Set("error", Json::Object({{"kind", code.name},
                                  {"message", reason},
                                  {"advice", advice},
                                  {"exit_code", code.code}}));
  out_ << json.Text() << std::flush;
}

void Console::Stage(std::string_view what, int64_t total) {
  EndStage();
  stage_ = what;
  total_ = total;
  done_ = 0;
  now_.clear();
  stage_watch_.Restart();
  drawn_seconds_ = 0;
  if (quiet_) return;
  if (style_.terminal) {
    Draw();
  } else {
    err_ << Printable(stage_);
    if (total_ > 0) err_ << " (" << total_ << ')';
    err_ << std::endl;
  }
}

void Console::Advance(int64_t units) {
  done_ += units;
  if (quiet_ || stage_.empty()) return;
  const double now = stage_watch_.seconds();
  if (now - drawn_seconds_ < (style_.terminal ? kRedrawSeconds : kRepeatSeconds)) return;
  drawn_seconds_ = now;
  Draw();
}

// Nothing before it can be told from what was done so far.
std::string Console::TimeLeft() const {
  const double seconds = stage_watch_.seconds();
  if (total_ <= 0 || done_ <= 0 || done_ >= total_ || seconds < kTellSeconds) return "";
  const double left = seconds / static_cast<double>(done_) * static_cast<double>(total_ - done_);
  return Text(", ", RoughTime(left), " left");
}

void Console::Draw() {
  std::string count;
  if (total_ > 0) {
    count = Text(std::min(done_, total_), " of ", total_);
  } else if (done_ > 0) {
    count = std::to_string(done_);
  }
  if (!now_.empty()) count += Text(", ", now_);
  count += TimeLeft();
  if (!style_.terminal) {
    err_ << Printable(stage_) << ": " << count << std::endl;
    return;
  }
  std::string line = Printable(stage_);
  if (total_ > 0) {
    const double fraction =
        static_cast<double>(std::min(done_, total_)) / static_cast<double>(total_);
    const int room = style_.columns - Columns(line) - Columns(count) - 5;
    if (room >= 8) line = Text(line, "  ", Bar(fraction, std::min(room, 30)));
  }
  line = Shortened(Text(line, "  ", count), style_.columns - 1);
  err_ << '\r' << line << "\033[K" << std::flush;  // and clears what stood behind
  line_open_ = true;
}

void Console::EndStage() {
  if (line_open_) err_ << "\r\033[K" << std::flush;
  line_open_ = false;
  stage_.clear();
}

void Console::Note(std::string_view text) {
  notes_.emplace_back(text);
  if (quiet_) return;
  if (line_open_) err_ << "\r\033[K";
  PrintLines(kYellow, "note:", text);
  if (line_open_) Draw();
}

void Console::Now(std::string_view text) { now_ = text; }

void Console::Detail(std::string_view text) {
  if (quiet_) return;
  if (line_open_) err_ << "\r\033[K";
  err_ << text << '\n';
  if (line_open_) Draw();
}

bool Console::cancelled() const { return Interrupted(); }

}  // namespace pare::cli
