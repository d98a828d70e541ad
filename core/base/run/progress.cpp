#include "core/base/run/progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <iostream>

#include "core/base/text/cut_text.h"

namespace wkvq {
namespace {

constexpr double kBarWidth = 20;
constexpr double kTerminalInterval = 0.1;
constexpr double kPlainInterval = 10.0;
constexpr const char* kLineUp = "\x1b[A";
constexpr const char* kClearBelow = "\x1b[J";  // from the cursor on
constexpr size_t kShortLabel = 16;             // letters of a label that a narrow terminal keeps

/// "3", or "3.25" within a step.
std::string count_text(double done) {
  const bool whole = done == std::floor(done);
  return whole ? fmt::format("{:.0f}", done) : fmt::format("{:.2f}", done);
}

}  // namespace

ProgressSink ProgressSink::standard_error() {
  ProgressSink sink;
  sink.out = &std::cerr;
  sink.terminal = isatty(STDERR_FILENO) != 0;
  winsize size{};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) sink.columns = size.ws_col;
  sink.seconds = [] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch())
        .count();
  };
  return sink;
}

Progress::Progress(std::string label, int64_t total, ProgressSink sink)
    : label_(std::move(label)), total_(total), sink_(std::move(sink)), started_(sink_.seconds()) {
  show(false);
}

Progress::Progress(std::string label, Shares, ProgressSink sink)
    : label_(std::move(label)),
      total_(1),
      share_(true),
      sink_(std::move(sink)),
      started_(sink_.seconds()) {
  show(false);
}

Progress::~Progress() {
  if (finished_) return;
  if (sink_.terminal || shown_done_ != done_) show(true);
}

void Progress::advance(int64_t steps, std::string note) {
  reach(done_ + static_cast<double>(steps), std::move(note));
}

void Progress::reach(double done, std::string note, std::string below) {
  done_ = done;
  note_ = std::move(note);
  below_ = std::move(below);
  const double interval = sink_.terminal ? kTerminalInterval : kPlainInterval;
  if (sink_.seconds() - shown_ >= interval) show(false);
}

void Progress::finish(const std::string& line) {
  finished_ = true;
  if (!sink_.out) return;
  std::string text = line;
  if (sink_.terminal && text.size() < shown_width_) text.append(shown_width_ - text.size(), ' ');
  *sink_.out << (sink_.terminal ? "\r" : "") << text << (below_width_ > 0 ? kClearBelow : "")
             << std::endl;
}

void Progress::show(bool last) {
  shown_ = sink_.seconds();
  shown_done_ = done_;
  if (!sink_.out) return;
  if (!sink_.terminal) {
    const std::string text = line(label_, false);
    const char* const gap = note_.empty() ? "  " : ", ";
    *sink_.out << (below_.empty() ? text : text + gap + below_) << std::endl;
    return;
  }
  *sink_.out << '\r' << fitted(fitting_line(), shown_width_);
  if (!below_.empty() && !last)
    *sink_.out << '\n' << fitted(below_, below_width_) << "\r" << kLineUp;
  if (last) *sink_.out << (below_width_ > 0 ? kClearBelow : "") << '\n';
  *sink_.out << std::flush;
}

std::string Progress::fitted(std::string text, size_t& width) const {
  // The last column stays free: some terminals wrap on it.
  text = cut_text(std::move(text), sink_.columns - std::min<size_t>(sink_.columns, 1));
  const size_t before = width;
  width = text.size();
  if (width < before) text.append(before - width, ' ');
  return text;
}

std::string Progress::fitting_line() const {
  std::string text = line(label_, true);
  if (text.size() < sink_.columns) return text;
  text = line(label_, false);
  if (text.size() < sink_.columns || label_.size() <= kShortLabel) return text;
  const size_t excess = text.size() + 1 - sink_.columns;
  const size_t kept = label_.size() - std::min(label_.size() - kShortLabel, excess);
  return line(cut_text(label_, kept - 1) + "~", false);
}

std::string Progress::line(const std::string& label, bool bar) const {
  const double elapsed = shown_ - started_;
  std::string text = label;
  if (total_ > 0) {
    const auto total = static_cast<double>(total_);
    const double done = std::clamp(done_, 0.0, total);
    if (bar) {
      const auto filled = static_cast<size_t>(kBarWidth * done / total);
      text += fmt::format(" [{:-<{}}]", std::string(filled, '#'), static_cast<int>(kBarWidth));
    }
    text += share_ ? fmt::format(" {:.0f} % {}", std::floor(100 * done), clock_text(elapsed))
                   : fmt::format(" {}/{} {}", count_text(done_), total_, clock_text(elapsed));
    if (done > 0 && done < total) {
      const double left = elapsed * (total - done) / done;
      text += fmt::format(" (about {} left)", clock_text(left));
    }
  } else {
    text += fmt::format(" {} {}", count_text(done_), clock_text(elapsed));
  }
  return note_.empty() ? text : text + "  " + note_;
}

std::string clock_text(double seconds) {
  const auto whole = static_cast<int64_t>(std::floor(std::max(seconds, 0.0)));
  if (whole < 3600) return fmt::format("{}:{:02}", whole / 60, whole % 60);
  return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
}

}  // namespace wkvq
