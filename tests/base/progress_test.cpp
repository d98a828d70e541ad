#include "core/base/run/progress.h"

#include <sstream>

#include "tests/support/catch.h"

using namespace wkvq;

namespace {

struct Fake {
  std::ostringstream out;
  double now = 100;
  ProgressSink sink(bool terminal, size_t columns = 80) {
    ProgressSink made;
    made.out = &out;
    made.terminal = terminal;
    made.columns = columns;
    made.seconds = [this] { return now; };
    return made;
  }
};

}  // namespace

TEST_CASE("plain lines come first, last and every ten seconds") {
  Fake fake;
  {
    Progress progress("runs", 4, fake.sink(false));
    fake.now += 4;
    progress.advance(1, "soon");
    fake.now += 6;
    progress.advance(1, "w4");
    fake.now += 1;
    progress.advance();
    fake.now += 1;
    progress.advance(1, "done");
  }
  CHECK(fake.out.str() ==
        "runs 0/4 0:00\n"
        "runs 2/4 0:10 (about 0:10 left)  w4\n"
        "runs 4/4 0:12  done\n");
}

TEST_CASE("the last plain line is not said twice") {
  Fake fake;
  {
    Progress progress("runs", 1, fake.sink(false));
    fake.now += 10;
    progress.advance();
  }
  CHECK(fake.out.str() == "runs 0/1 0:00\nruns 1/1 0:10\n");
}

TEST_CASE("a terminal has one line that overwrites itself") {
  Fake fake;
  {
    Progress progress("run", 4, fake.sink(true));
    fake.now += 3;
    progress.advance(1, "a long note");
    fake.now += 0.01;
    progress.advance(1, "too soon to show");
    fake.now += 2.99;
    progress.advance();
  }
  const std::string expected =
      "\rrun [--------------------] 0/4 0:00"
      "\rrun [#####---------------] 1/4 0:03 (about 0:09 left)  a long note"
      "\rrun [###############-----] 3/4 0:06 (about 0:02 left)             "
      "\rrun [###############-----] 3/4 0:06 (about 0:02 left)\n";
  CHECK(fake.out.str() == expected);
}

TEST_CASE("a step under way moves bar, remaining time and log") {
  Fake terminal;
  {
    Progress progress("run", 4, terminal.sink(true));
    terminal.now += 5;
    progress.reach(0.25);
    terminal.now += 5;
    progress.reach(1.5);
    terminal.now += 2;
    progress.reach(2);
  }
  CHECK(terminal.out.str() ==
        "\rrun [--------------------] 0/4 0:00"
        "\rrun [#-------------------] 0.25/4 0:05 (about 1:15 left)"
        "\rrun [#######-------------] 1.50/4 0:10 (about 0:16 left)"
        "\rrun [##########----------] 2/4 0:12 (about 0:12 left)   "
        "\rrun [##########----------] 2/4 0:12 (about 0:12 left)\n");
  Fake log;
  {
    Progress progress("run", 2, log.sink(false));
    for (int i = 1; i <= 16; ++i) {
      log.now += 1;
      progress.reach(i / 8.0);
    }
  }
  CHECK(log.out.str() ==
        "run 0/2 0:00\n"
        "run 1.25/2 0:10 (about 0:06 left)\n"
        "run 2/2 0:16\n");
}

TEST_CASE("a line is never wider than the terminal") {
  Fake fake;
  {
    Progress progress("r\xc3\xa9", 4, fake.sink(true, 4));
    CHECK(fake.out.str() == "\rr\xc3\xa9");
  }
  Fake narrow;
  { Progress progress("r\xc3\xa9", 4, narrow.sink(true, 3)); }
  CHECK(narrow.out.str() == "\rr\rr\n");
  Fake none;
  { Progress progress("r", 4, none.sink(true, 0)); }
  CHECK(none.out.str() == "\r\r\n");
}

TEST_CASE("an unknown total has neither bar nor remaining time") {
  Fake fake;
  {
    Progress progress("tokens", 0, fake.sink(true));
    fake.now += 3700;
    progress.advance(5);
  }
  CHECK(fake.out.str() == "\rtokens 0 0:00\rtokens 5 1:01:40\rtokens 5 1:01:40\n");
}

TEST_CASE("more steps than announced stay within the bar") {
  Fake fake;
  {
    Progress progress("x", 2, fake.sink(true));
    fake.now += 1;
    progress.advance(3);
  }
  CHECK(fake.out.str().find("\rx [####################] 3/2 0:01\n") != std::string::npos);
}

TEST_CASE("shares of work are percents") {
  Fake fake;
  {
    Progress progress("[3/12] run", Progress::Shares{}, fake.sink(false));
    fake.now += 10;
    progress.reach(0.255, "sweep: about 5:10 left");
    fake.now += 30;
    CHECK(progress.elapsed() == 40);
    progress.reach(1);
  }
  CHECK(fake.out.str() ==
        "[3/12] run 0 % 0:00\n"
        "[3/12] run 25 % 0:10 (about 0:29 left)  sweep: about 5:10 left\n"
        "[3/12] run 100 % 0:40\n");
}

TEST_CASE("what finishes stands in place of the live line and is not cut") {
  Fake terminal;
  {
    Progress progress("run", 4, terminal.sink(true, 40));
    progress.finish("done");
  }
  CHECK(terminal.out.str() ==
        "\rrun [--------------------] 0/4 0:00\rdone                               \n");
  Fake log;
  {
    Progress progress("run", 4, log.sink(false, 4));
    progress.finish("[1/1] run  7.06 ± 0.12");
  }
  CHECK(log.out.str() == "run 0/4 0:00\n[1/1] run  7.06 ± 0.12\n");
}

TEST_CASE("a narrow terminal loses the bar first, then the end of a long label") {
  Fake fake;
  { Progress progress("a label of more than twenty letters", 4, fake.sink(true, 45)); }
  CHECK(fake.out.str().starts_with("\ra label of more than twenty letters 0/4 0:00\r"));
  Fake narrow;
  { Progress progress("a label of more than twenty letters", 4, narrow.sink(true, 30)); }
  CHECK(narrow.out.str().starts_with("\ra label of more tha~ 0/4 0:00\r"));
}

TEST_CASE("clock_text") {
  CHECK(clock_text(0) == "0:00");
  CHECK(clock_text(7.9) == "0:07");
  CHECK(clock_text(754) == "12:34");
  CHECK(clock_text(3 * 3600 + 7 * 60 + 9) == "3:07:09");
  CHECK(clock_text(-1) == "0:00");
}
