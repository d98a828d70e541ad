#include "analysis/text_table.h"

#include "analysis/format_number.h"
#include "analysis/text_width.h"
#include "tests/support/catch.h"

using namespace wkvq;

TEST_CASE("measurements show the error with two digits and the value as far as it reaches") {
  CHECK(format_measurement(12.3456, 0.0123) == "12.346 ± 0.012");
  CHECK(format_measurement(-12.3456, 0.3) == "-12.35 ± 0.30");
  CHECK(format_measurement(1234.5, 22) == "1234 ± 22");
  CHECK(format_measurement(1e8, 1e5) == "1e+08 ± 1.0e+05");
  CHECK(format_measurement(7.123456789, 0) == "7.12346");
  CHECK(format_measurement(7.5, NAN) == "7.5");
  CHECK(format_measurement(NAN, 0.1) == "nan");
  CHECK(format_measurement(INFINITY, INFINITY) == "inf");
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
