#include "core/base/text/visible_text.h"

#include <sstream>

#include "tests/support/catch.h"

using namespace wkvq;

namespace {

std::string through(const std::vector<std::string>& pieces) {
  std::ostringstream stream;
  {
    const VisibleOutput visible(stream);
    for (const std::string& piece : pieces) stream << piece;
  }
  return stream.str();
}

}  // namespace

TEST_CASE("visible text keeps what is printed and escapes what steers") {
  CHECK(visible_text("plain \\n text, \u00e9 \u6f22 \U0001f600") ==
        "plain \\n text, \u00e9 \u6f22 \U0001f600");
  CHECK(visible_text(std::string("\x1b[2J\0\x07\x7f", 7)) == "\\u001b[2J\\u0000\\u0007\\u007f");
  CHECK(visible_text("a\nb\tc\rd") == "a\\nb\\tc\\rd");
  CHECK(visible_text("\xc2\x9b"
                     "2J") == "\\u009b2J");  // CSI in one character
  CHECK(visible_text("\u202egpj.exe\u2069") == "\\u202egpj.exe\\u2069");
  CHECK(visible_text("\u2028") == "\\u2028");
  CHECK(visible_text("").empty());
}

TEST_CASE("visible text escapes bytes that are not UTF-8") {
  CHECK(visible_text("a\xff\xc3") == "a\\xff\\xc3");
  CHECK(visible_text("\xc0\xaf") == "\\xc0\\xaf");           // overlong
  CHECK(visible_text("\xed\xa0\x80") == "\\xed\\xa0\\x80");  // a surrogate
  CHECK(visible_text("\xf4\x90\x80\x80") == "\\xf4\\x90\\x80\\x80");
}

TEST_CASE("shown values have at most 200 characters, none of them cut in two") {
  const std::string at_most(200, 'a');
  CHECK(shown(at_most) == at_most);
  CHECK(shown(at_most + "b") == at_most + "...");
  std::string wide;
  for (int i = 0; i < 201; ++i) wide += "\u00e9";
  CHECK(shown(wide) == wide.substr(0, 400) + "...");
  CHECK(shown(std::string(10'000'000, '\xff')).size() == 203);
}

TEST_CASE("visible output escapes as text comes in pieces, lines and tabs stay") {
  CHECK(through({"a\tb\n", "\x1b[1m", "\r"}) == "a\tb\n\\u001b[1m\\r");
  // One character in several pieces: not taken for malformed, nor let through.
  CHECK(through({"\xf0", "\x9f", "\x98", "\x80"}) == "\xf0\x9f\x98\x80");
  CHECK(through({"\xc2", "\x9b"}) == "\\u009b");
  CHECK(through({"\xc3"}) == "\\xc3");
  CHECK(through({"\xc3", "x"}) == "\\xc3x");
  std::ostringstream stream;
  {
    const VisibleOutput visible(stream);
    stream.put('\x1b');
    stream.flush();
    CHECK(stream.str() == "\\u001b");
  }
  stream << "\x1b";  // no longer
  CHECK(stream.str() == "\\u001b\x1b");
}

TEST_CASE("visible output says that its target takes no more") {
  struct Full final : std::streambuf {
    std::streamsize xsputn(const char*, std::streamsize) override { return 0; }
  } full;
  std::ostream stream(&full);
  {
    const VisibleOutput visible(stream);
    stream << "text";
    CHECK(stream.bad());
  }
  CHECK(stream.bad());
}
