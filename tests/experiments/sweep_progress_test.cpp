#include "experiments/run/sweep_progress.h"

#include <sstream>

#include "experiments/commands/commands.h"
#include "tests/support/catch.h"

using namespace wkvq;

namespace {

/// One layer and one entry: `blocks` and `evaluation`, and `reference` for the first run.
RunWork work(double blocks, double evaluation, double reference = 0) {
  return {.layers = 1,
          .calibration = 0,
          .streams = blocks,
          .reference = reference,
          .evaluations = {evaluation}};
}

}  // namespace

TEST_CASE("sweep progress: place among all runs, and time by work that is left") {
  std::ostringstream out;
  double now = 0;
  SweepProgress progress(12, {{.out = &out, .seconds = [&now] { return now; }}});
  progress.expect(2, work(10, 10, 20));  // 40, full precision included
  progress.expect(3, work(10, 10, 20));  // 20: full precision is there
  progress.expect(11, work(20, 20, 20));
  progress.begin(2, "a");
  now = 10;
  progress.reach(0.25);  // 10 of 40 in 10 s; 30, 20 and 40 are left
  now = 40;
  progress.end("kl 0.5");
  progress.begin(3, "b");
  now = 50;
  progress.reach(0.5);  // 50 in 50 s; 10 and 40 are left
  progress.end("failed");
  progress.begin(11, "c");
  now = 60;
  progress.reach(0.25);  // the last one: nothing beyond its own 30 s
  progress.end("kl 0.25");
  CHECK(out.str() ==
        "[3/12] a 0 % 0:00\n"
        "[3/12] a 25 % 0:10 (about 0:30 left)  sweep: 10 %, about 1:30 left\n"
        "[3/12] a  0:40  kl 0.5\n"
        "[4/12] b 0 % 0:00\n"
        "[4/12] b 50 % 0:10 (about 0:10 left)  sweep: 50 %, about 0:50 left\n"
        "[4/12] b  0:10  failed\n"
        "[12/12] c 0 % 0:00\n"
        "[12/12] c 25 % 0:10 (about 0:30 left)\n"
        "[12/12] c  0:10  kl 0.25\n");
}

TEST_CASE("sweep progress: runs that others did meanwhile are left out") {
  std::ostringstream out;
  double now = 0;
  SweepProgress progress(3, {{.out = &out, .seconds = [&now] { return now; }}});
  for (const size_t place : {size_t{0}, size_t{1}, size_t{2}}) progress.expect(place, work(10, 10));
  progress.skip(0);
  progress.begin(1, "b");
  now = 10;
  progress.reach(0.5);  // 10 in 10 s; 10 and 20 are left, those of the first run are not
  progress.end("done");
  CHECK(out.str() ==
        "[2/3] b 0 % 0:00\n"
        "[2/3] b 50 % 0:10 (about 0:10 left)  sweep: 25 %, about 0:30 left\n"
        "[2/3] b  0:10  done\n");
}

TEST_CASE("sweep progress: runs that train have a pace of their own, and each sink its lines") {
  std::ostringstream terminal, log;
  double now = 0;
  const auto seconds = [&now] { return now; };
  {
    SweepProgress progress(4,
                           {{.out = &terminal, .terminal = true, .columns = 60, .seconds = seconds},
                            {.out = &log, .seconds = seconds}});
    RunWork training = work(80, 20);
    training.trains = true;
    progress.expect(0, work(80, 20));
    progress.expect(1, work(80, 20));
    progress.expect(2, training);
    progress.expect(3, training);
    progress.begin(0, "a");
    now = 10;
    progress.end("done");  // 0.1 s a unit
    progress.begin(2, "t");
    now = 60;
    // 50 of 100 in 50 s: 50 s of it are left, 100 s of the other one that trains, 10 s of b.
    progress.reach(0.5, "block 1/1: training, epoch 1/2, loss 0.5");
    progress.end("done");
  }
  CHECK(log.str() ==
        "[1/4] a 0 % 0:00\n[1/4] a  0:10  done\n[3/4] t 0 % 0:00\n"
        "[3/4] t 50 % 0:50 (about 0:50 left)  block 1/1: training, epoch 1/2, loss 0.5, "
        "sweep: 38 %, about 2:40 left\n[3/4] t  0:50  done\n");
  // Two lines, the second below the first, gone at the end.
  CHECK(
      terminal.str().ends_with("\r[3/4] t 50 % 0:50 (about 0:50 left)  block 1/1: training, e"
                               "\nsweep: 38 %, about 2:40 left\r\x1b[A\r[3/4] t  0:50  done" +
                               std::string(40, ' ') + "\x1b[J\n"));
}

TEST_CASE("work: blocks, the calibration within one, and evaluations add up to all of it") {
  std::vector<double> told;
  const RunWork of{.layers = 2,
                   .calibration = 6,
                   .streams = 4,
                   .reference = 10,
                   .evaluations = {15, 5}};  // 2 (6 + 4) + 20 = 40; 60 with full precision
  const WorkDone done(of, false, [&](double share) { told.push_back(share); });
  done.blocks(0.5);
  done.blocks(1);
  done.blocks(2);
  done.evaluation(0, 0);
  done.evaluation(0, 1);
  done.evaluation(1, 0.5);
  done.evaluation(1, 1);
  CHECK(told == std::vector<double>{3.0 / 40, 0.25, 0.5, 0.5, 35.0 / 40, 37.5 / 40, 1});
  told.clear();
  const WorkDone first(of, true, [&](double share) { told.push_back(share); });
  first.blocks(1);
  CHECK(told == std::vector<double>{20.0 / 60});
}

TEST_CASE("run: says what it runs on, and each run's main figure is asked for once") {
  const test::TemporaryFolder folder;
  test::write_file(folder / "small.yaml",
                   fmt::format("name: small\nmodel: {{path: {}}}\nmethod: {{name: rtn}}\n"
                               "evaluate: [{{task: perplexity, dataset: {{name: self, samples: 2, "
                               "length: 16}}}}]\nsweep: {{method.kv.bits: [16, 3]}}\n",
                               test::source("datasets/mini").string()));
  std::vector<std::string> asked;
  const SweepOptions options{.file = folder / "small.yaml",
                             .results = folder / "results",
                             .main_figure = [&](const std::filesystem::path& path) {
                               asked.push_back(path.stem().string());
                               return std::string("figure");
                             }};
  std::ostringstream out;
  REQUIRE(run_command(options, out) == 0);
  INFO(out.str());
  CHECK(out.str().starts_with("sweep small: 2 runs, 2 to do\nmodel " +
                              test::source("datasets/mini").string() + ": 6 blocks, "));
  CHECK(out.str().find("float32 on cpu, ") != std::string::npos);
  CHECK(asked.size() == 2);
  std::ostringstream second;
  REQUIRE(run_command(options, second) == 0);
  CHECK(second.str().starts_with("2 runs: 0 done now, 2 done before"));
}
