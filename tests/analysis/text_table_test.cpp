#include "analysis/tables/text_table.h"

#include "analysis/tables/format_number.h"
#include "analysis/tables/text_width.h"
#include "tests/support/catch.h"

using namespace wkvq;

TEST_CASE("measurements show the error with two digits and the value as far as it reaches") {
  CHECK(format_measurement(12.3456, 0.0123) == "12.346 ± 0.012");
  CHECK(format_measurement(-12.3456, 0.3) == "-12.35 ± 0.30");
  CHECK(format_measurement(1234.5, 22) == "1234 ± 22");
  CHECK(format_measurement(1e8, 1e5) == "1e+08 ± 1.0e+05");
  CHECK(format_measurement(7.123456789, 0) == "7.12346");
  CHECK(format_measurement(7.5, NAN) == "7.5");
  CHECK(format_measurement(NAN, 0.1) == "not finite (nan)");
  CHECK(format_measurement(-NAN, NAN) == "not finite (nan)");
  CHECK(format_measurement(-INFINITY, 0.1) == "not finite (-inf)");
  CHECK(format_exact(-NAN) == "nan");
  CHECK(format_attribute(-NAN) == "unknown (nan)");
  CHECK(format_measurement(INFINITY, INFINITY) == "not finite (inf)");
  CHECK(format_measurement(3e-9, 1e-9) == "3e-09 ± 1.0e-09");
  CHECK(std::stod(format_exact(0.1 + 0.2)) == 0.1 + 0.2);
}

TEST_CASE("display width counts columns, not bytes") {
  CHECK(display_width("abc") == 3);
  CHECK(display_width("1 ± 2") == 5);
  CHECK(display_width("漢字") == 4);
  CHECK(display_width("e\u0301") == 1);
  CHECK(display_width("😀") == 2);
  CHECK(display_width("\xff\xfe") == 2);
}

TEST_CASE("printable text cannot steer a terminal") {
  CHECK(printable("a\nb\x1b[31m\x7f") == "a b [31m ");
  CHECK(printable("\xc2\x9b"
                  "31m") == " 31m");
  CHECK(printable("\u202e"
                  "abc") == " abc");
  CHECK(printable("\xc0\xafé\xe4") == "??é?");
  CHECK(printable("\xed\xa0\x80") == "???");
}

TEST_CASE("long text is shortened in the middle, headers wrap between words") {
  CHECK(shortened("abcdefghij", 10) == "abcdefghij");
  CHECK(shortened("abcdefghijk", 10) == "abcd…ghijk");
  CHECK(shortened("漢漢漢漢", 5) == "漢…漢");
  CHECK(display_width(shortened("漢漢漢漢漢漢", 6)) <= 6);
  CHECK(wrapped("past, window 32, sinks 4", 16) ==
        std::vector<std::string>{"past, window 32,", "sinks 4"});
  CHECK(wrapped("calibration.dataset.path", 12) ==
        std::vector<std::string>{"calibration.", "dataset.path"});
  CHECK(wrapped("", 16) == std::vector<std::string>{""});
}

TEST_CASE("csv quotes what it must") {
  CHECK(csv_line({"a", "b,c", "d\"e", "f\ng", ""}) == "a,\"b,c\",\"d\"\"e\",\"f\ng\",\n");
}

TEST_CASE("markdown escapes bars and joins header lines") {
  CHECK(markdown_text({{"a\nb", "c|d"}, {{"x|y", "1"}}, 1}) ==
        "| a, b | c\\|d |\n| --- | ---: |\n| x\\|y | 1 |\n");
}

TEST_CASE("a table that is too wide continues below with its keys") {
  const TextTable table{{"key", "aaaaaaaa", "bbbbbbbb"}, {{"x", "1", "-2"}, {"yy", "30", "-"}}, 1};
  CHECK(terminal_text(table, 23) ==
        "key  aaaaaaaa  bbbbbbbb\n---  --------  --------\nx           1        -2\n"
        "yy         30         -\n");
  CHECK(terminal_text(table, 22) ==
        "key  aaaaaaaa\n---  --------\nx           1\nyy         30\n\n"
        "key  bbbbbbbb\n---  --------\nx          -2\nyy          -\n");
}

TEST_CASE("a table whose keys are too wide numbers its rows") {
  const TextTable table{{"first", "second", "value"}, {{"aaaaaaaa", "bbbbbbbb", "7"}}, 2};
  CHECK(terminal_text(table, 21) ==
        "#  first     second\n-  --------  --------\n1  aaaaaaaa  bbbbbbbb\n\n"
        "#  value\n-  -----\n1      7\n");
}

TEST_CASE("names with a digit are words: they stand to the left") {
  const TextTable table{{"method", "bits"}, {{"w4", "4"}, {"a8", "-.5"}, {"-", "nan"}}, 1};
  CHECK(terminal_text(table, 80) ==
        "method  bits\n------  ----\nw4         4\na8       -.5\n-        nan\n");
  CHECK(markdown_text({{"x", "y"}, {{"w4", "7.50 ± 0.13"}}, 1}) ==
        "| x | y |\n| --- | ---: |\n| w4 | 7.50 ± 0.13 |\n");
}

TEST_CASE("csv reads back as the cells that went in, whatever they hold") {
  // A reader of RFC 4180 by its grammar.
  const auto read = [](const std::string& line) {
    std::vector<std::string> cells(1);
    bool quoted = false;
    for (size_t i = 0; i + 1 < line.size(); ++i) {
      if (line[i] == '"') {
        const bool doubled = quoted && line[i + 1] == '"';
        if (doubled) cells.back() += line[++i];
        if (!doubled) quoted = !quoted;
      } else if (line[i] == ',' && !quoted) {
        cells.emplace_back();
      } else {
        cells.back() += line[i];
      }
    }
    REQUIRE_FALSE(quoted);
    return cells;
  };
  const std::vector<std::string> hostile = {"",    "a", ",",     "\"",   "\"\"", "a\nb", "\r\n",
                                            " a ", "'", "\",\"", "é,漢", "=1+1", "a\"b", "\n"};
  CHECK(read(csv_line(hostile)) == hostile);
  for (const std::string& cell : hostile) {
    CHECK(read(csv_line({cell, cell})) == std::vector<std::string>{cell, cell});
  }
  CHECK(csv_line({"plain", "1.5"}) == "plain,1.5\n");
}

TEST_CASE("markdown: no cell can end its own, open a tag or escape the escape") {
  CHECK(markdown_text({{"h"}, {{"a\\|b<br>"}}, 0}) == "| h |\n| --- |\n| a\\\\\\|b\\<br> |\n");
}

TEST_CASE("wrapped lines keep every letter and stay within the width where they can") {
  for (const std::string text : {"calibration.dataset.path/to/a file of words", "one",
                                 "a b c d e f", "漢字 漢字 漢字", "unbreakableunbreakable x"}) {
    for (size_t width = 4; width < 24; ++width) {
      INFO(text << " at " << width);
      std::string joined;
      for (const std::string& line : wrapped(text, width)) {
        const bool one_piece = line.find_first_of(" /.") >= line.size() - 1;
        CHECK((display_width(line) <= width || one_piece));
        for (const char c : line) joined += c == ' ' ? "" : std::string(1, c);
      }
      std::string bare = text;
      std::erase(bare, ' ');
      CHECK(joined == bare);
    }
  }
}

TEST_CASE("shortened text keeps both ends and never breaks a character") {
  for (const std::string text :
       {"abcdefghijklmnop", "漢字漢字漢字漢字", "a漢b字c漢d字", "e\u0301e\u0301e\u0301e\u0301"}) {
    for (size_t width = 1; width < 20; ++width) {
      INFO(text << " at " << width);
      const std::string brief = shortened(text, width);
      CHECK(display_width(brief) <= width);
      CHECK(printable(brief) == brief);  // no half characters
      if (display_width(text) <= width) CHECK(brief == text);
      const size_t cut = brief.find("…");
      if (cut == std::string::npos) continue;
      CHECK(text.starts_with(brief.substr(0, cut)));
      CHECK(text.ends_with(brief.substr(cut + std::string("…").size())));
    }
  }
}

TEST_CASE("attributes in tables: six digits for reals, everything of integers") {
  CHECK(format_attribute(int64_t{INT64_MIN}) == "-9223372036854775808");
  CHECK(format_attribute(1.0 / 3) == "0.333333");
  CHECK(format_attribute(1e-7) == "1e-07");
  CHECK(format_attribute(std::string("a\nb")) == "a\nb");
  CHECK(format_measurement(0.5, 0.000123) == "0.50000 ± 0.00012");
  CHECK(format_measurement(99.96, 9.96) == "100.0 ± 10.0");
  CHECK(format_measurement(5, -1) == "5");
  CHECK(format_measurement(-INFINITY, 0.1) == "not finite (-inf)");
}
