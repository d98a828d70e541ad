#pragma once

#include <ostream>
#include <streambuf>
#include <string>
#include <string_view>

namespace wkvq {

/// `text` as one line that steers no terminal: line breaks, control characters (C0, DEL, C1) and
/// the marks that reverse text as \n, \t, \u001b, bytes that are not UTF-8 as \xff. All else stays,
/// backslashes too.
std::string visible_text(std::string_view text);

/// At most 200 characters of a value that a message quotes, "..." behind them where there are more.
std::string shown(std::string_view value);

/// While it lives, what is written to `stream` passes as visible_text() does, but for line breaks
/// and tabs, which stay.
class VisibleOutput : private std::streambuf {
 public:
  explicit VisibleOutput(std::ostream& stream);
  ~VisibleOutput() override;
  VisibleOutput(const VisibleOutput&) = delete;
  VisibleOutput& operator=(const VisibleOutput&) = delete;

 private:
  int_type overflow(int_type letter) override;
  std::streamsize xsputn(const char* letters, std::streamsize count) override;
  int sync() override;
  /// False where the target takes no more.
  bool write(size_t bytes);

  std::ostream& stream_;
  std::streambuf* target_;
  std::string pending_;  ///< the beginning of a character whose end was not written yet
};

}  // namespace wkvq
