// Where commands print: results on one stream, progress, notes and errors on the other.
#pragma once

#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/progress.h"
#include "base/status.h"
#include "cli/json.h"
#include "platform/clock.h"

namespace pare::cli {

// What the streams can show.
struct ConsoleStyle {
  bool terminal = false;  // of the error stream: bars that move
  bool color = false;
  int columns = 80;

  // Of stdout and stderr, by isatty, NO_COLOR and TERM.
  static ConsoleStyle Detect();
};

// Progress in one line that is drawn anew on a terminal; elsewhere a line a stage, and one from
// time to time in a long stage. Cancelled by Ctrl-C.
class Console : public Progress {
 public:
  Console(std::ostream& out, std::ostream& err, ConsoleStyle style)
      : out_(out), err_(err), style_(style) {}
  ~Console() override { EndStage(); }

  void set_json(bool json) { json_ = json; }
  void set_quiet(bool quiet) { quiet_ = quiet; }  // neither progress nor notes
  bool json() const { return json_; }

  // The result of a command, for people or for programs: found by its overloads
  //   Json ToJson(const Report&) and std::string ToText(const Report&).
  template <typename Report>
  Status Show(const Report& report) {
    return Print(json_ ? ToJson(report).Text() : ToText(report));
  }
  // The same where a goal was missed: the report is printed, and the error it returns stands behind
  // it; with --json both are one object.
  template <typename Report>
  Status ShowUnmet(const Report& report, Error error) {
    if (json_) {
      unmet_ = ToJson(report);
    } else {
      PARE_TRY(Print(ToText(report)));
    }
    return Fail(std::move(error));
  }
  // Members that stand before the error with --json, if one ends the command.
  void set_before_error(Json members) { unmet_ = std::move(members); }
  Status Print(std::string_view text);
  // "pare: …" on the error stream, and with --json {"error": …} as the one object on the other,
  // behind the members of a report where a goal was missed, or those of set_before_error.
  void ShowError(const Error& error);

  // Progress
  void Stage(std::string_view what, int64_t total) override;
  void Advance(int64_t units) override;
  void Note(std::string_view text) override;
  void Detail(std::string_view text) override;
  void Now(std::string_view text) override;
  bool cancelled() const override;
  // All notes so far, for reports.
  const std::vector<std::string>& notes() const { return notes_; }

 private:
  void EndStage();
  void Draw();
  std::string TimeLeft() const;
  // A line that begins with `head`, and those that follow in the text's own lines.
  void PrintLines(std::string_view color, std::string_view head, std::string_view text);
  std::string Colored(std::string_view code, std::string_view text) const;

  std::ostream& out_;
  std::ostream& err_;
  ConsoleStyle style_;
  bool json_ = false, quiet_ = false;
  std::vector<std::string> notes_;
  std::optional<Json> unmet_;

  std::string stage_;  // "" between stages
  std::string now_;    // how it stands, in a few words
  int64_t total_ = 0, done_ = 0;
  Stopwatch stage_watch_;
  double drawn_seconds_ = 0;  // of stage_watch_, when last drawn
  bool line_open_ = false;    // a bar stands on the terminal's line
};

}  // namespace pare::cli
