#include "experiments/run/error_watch.h"

#include "tests/support/catch.h"
#include "tests/support/memory_recorder.h"

using namespace wkvq;

TEST_CASE("error watch: what is worse than rounding to nearest is said, and passed on") {
  test::MemoryRecorder recorder;
  ErrorWatch watch(recorder);
  CHECK(watch.note().empty());
  CHECK(watch.warnings().empty());
  const auto record = [&](const std::string& place, const std::string& of, double error,
                          double nearest) {
    watch.attribute("/statistics/" + place, of + "_error", error);
    watch.attribute("/statistics/" + place, of + "_error_nearest", nearest);
  };
  record("block_00/q_proj", "output", 0.1, 0.2);
  record("block_00/k_proj", "output", 0.3, 0.3);  // equal: no harm
  CHECK(watch.note() == "output error on calibration text 0.2, rounded to nearest 0.25");
  CHECK(watch.warnings().empty());
  record("block_01/q_proj", "output", 0.5, 0.25);
  record("block_01/k_proj", "output", 0.3, 0.2);
  record("block_01/q_proj", "text", 0.1, 0.2);
  CHECK(watch.note() == "output error on calibration text 0.4, rounded to nearest 0.23");
  CHECK(watch.warnings() ==
        std::vector<std::string>{
            "2 of 4 linears have a larger output error on calibration text than rounding to "
            "nearest leaves; most of all block_01/q_proj: 0.5 instead of 0.25"});
  record("block_01/k_proj", "text", 0.4, 0.2);
  REQUIRE(watch.warnings().size() == 2);
  CHECK(watch.warnings()[1].starts_with("1 of 2 linears have a larger output error on evaluated"));
  CHECK(std::get<double>(recorder.attributes.at("/statistics/block_01/k_proj/text_error")) == 0.4);
}

TEST_CASE("error watch: a head far worse than the rest is named") {
  test::MemoryRecorder recorder;
  ErrorWatch watch(recorder);
  watch.array("/statistics/block_00/heads", "output_error", {{2}, {0.01, 0.02}});
  watch.array("/statistics/block_00/heads", "logit_error", {{2}, {9, 9}});
  watch.array("/statistics/block_01/heads", "output_error", {{2}, {0.02, 0.07}});
  // 3.5 times the median of 0.01, 0.02, 0.02 and 0.07.
  CHECK(watch.warnings().empty());
  watch.array("/statistics/block_02/heads", "output_error", {{2}, {0.03, 0.24}});
  // The median of six is the fourth: 0.03, and 0.24 its eightfold.
  CHECK(watch.warnings() ==
        std::vector<std::string>{"the quantized cache changes the output of block_02, head 1 by "
                                 "0.24 of its norm, 8.0 times the median of 6 heads; `wkvq show` "
                                 "lists the worst"});
  CHECK(recorder.arrays.at("/statistics/block_02/heads/output_error").values[1] == 0.24);
}
