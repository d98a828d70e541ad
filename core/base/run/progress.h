#pragma once

#include <cstdint>
#include <functional>
#include <iosfwd>
#include <string>

namespace wkvq {

/// Where progress goes and what time it is.
struct ProgressSink {
  std::ostream* out = nullptr;      ///< null: nothing is said
  bool terminal = false;            ///< one line that overwrites itself instead of plain lines
  size_t columns = 80;              ///< width of the terminal
  std::function<double()> seconds;  ///< a clock that never goes back

  /// Standard error, as it is.
  static ProgressSink standard_error();
};

/// Tells how far a piece of work is. On a terminal: bar, done/total, elapsed and remaining time on
/// one line, and what stands below it on another. Elsewhere: a plain line at the start, at the end and at most every 10 s between. For
/// one thread.
class Progress {
 public:
  /// `total` <= 0: not known, neither bar nor remaining time.
  Progress(std::string label, int64_t total, ProgressSink sink = ProgressSink::standard_error());
  /// Of work that comes in no steps: reach() takes shares of it, 0 to 1, and percents are shown.
  struct Shares {};
  Progress(std::string label, Shares, ProgressSink sink = ProgressSink::standard_error());
  /// Ends the line where advance() has stopped.
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// `steps` more are done; `note` says what comes next or what came out and stands at the end.
  void advance(int64_t steps = 1, std::string note = {});
  /// `done` steps are done; a fraction tells how far the one under way is.
  /// `below`: of the whole that this is a part of; on a terminal a second line, else behind the note.
  void reach(double done, std::string note = {}, std::string below = {});
  /// Ends with `line`, uncut, in place of the one that is shown; nothing follows.
  void finish(const std::string& line);
  /// Seconds since the beginning.
  double elapsed() const { return sink_.seconds() - started_; }

 private:
  void show(bool last);
  /// Without the bar and with a short label where the terminal is narrow.
  std::string fitting_line() const;
  std::string line(const std::string& label, bool bar) const;
  /// `text` in `width` columns or those of the terminal, over what stood there.
  std::string fitted(std::string text, size_t& width) const;

  std::string label_;
  int64_t total_;
  bool share_ = false;
  bool finished_ = false;
  ProgressSink sink_;
  double done_ = 0;
  std::string note_, below_;
  double started_;
  double shown_ = 0;
  double shown_done_ = 0;
  size_t shown_width_ = 0, below_width_ = 0;
};

/// "0:07", "12:34", "3:07:09".
std::string clock_text(double seconds);

}  // namespace wkvq
