#include "experiments/bench/bench.h"

#include <sstream>

#include "core/base/hdf5/hdf5.h"
#include "core/base/json/json.h"
#include "experiments/bench/bench_end_to_end.h"
#include "experiments/bench/bench_shapes.h"
#include "tests/support/catch.h"

using namespace wkvq;
using Catch::Matchers::Contains;

TEST_CASE("bench: medians, spreads and ratios by hand") {
  const Timing ours{"ours", 100, {1, 2, 3, 4, 10}}, other{"other", 100, {4, 2, 12, 8, 10}};
  REQUIRE(ours.median() == 3);
  // Quartiles 2 and 4.
  REQUIRE(ours.spread() == Approx(1.0 / 3));
  // Round by round 4, 1, 4, 2, 1.
  REQUIRE(ratio(ours, other) == 2);
}

TEST_CASE("bench: every contestant takes part in every round, the first of which is not counted") {
  std::vector<std::pair<char, int64_t>> calls;
  const BenchCase bench{"case",
                        {{"a", 1, [&](int64_t round) { calls.emplace_back('a', round); }},
                         {"b", 2, [&](int64_t round) { calls.emplace_back('b', round); }}}};
  const std::vector<Timing> timings = measure(bench, 2);
  REQUIRE(calls == std::vector<std::pair<char, int64_t>>{
                       {'a', 0}, {'b', 0}, {'a', 1}, {'b', 1}, {'a', 2}, {'b', 2}});
  REQUIRE(timings.size() == 2);
  REQUIRE(timings[1].name == "b");
  REQUIRE(timings[1].bytes == 2);
  REQUIRE(timings[1].seconds.size() == 2);
}

TEST_CASE("bench: a table, and the same in a file") {
  const test::TemporaryFolder folder;
  std::ostringstream out;
  REQUIRE(bench_command({.what = "append", .repeat = 1, .json = folder / "bench.json"}, out) == 0);
  REQUIRE_THAT(out.str(), Contains("append llama-2-7b batch 1") && Contains("packed KV4") &&
                              Contains("copy float32") && Contains("x ours"));
  const nlohmann::json file = read_json_file(folder / "bench.json");
  const auto& contestants = file["cases"][0]["contestants"];
  REQUIRE(contestants[0]["seconds"].size() == 1);
  // One token of 32 heads of 128, keys and values: float32 read, 4 bits and two float16 written.
  REQUIRE(contestants[0]["bytes"] == 2 * 32 * (128 * 4 + 68));
  REQUIRE(contestants[1]["ratio"].is_number());
  REQUIRE(file["copy_bytes_per_second"] > 0);
}

TEST_CASE("bench: the same numbers in an HDF5 file, which must be a new one") {
  const test::TemporaryFolder folder;
  const BenchRun run{
      .options = {.what = "linear", .repeat = 3},
      .copy_bandwidth = 50,
      .results = {{"case", {{"ours", 100, {1, 2, 3, 4, 10}, 80}, {"other", 7, {4, 2, 12, 8, 10}}}},
                  {"next", {{"ours", 1, {5}}}}}};
  write_hdf5(run, folder / "bench.h5");
  const hdf5::Reader file(folder / "bench.h5");
  const auto number = [&](const std::string& group, const char* name) {
    return std::get<double>(*file.attribute(group, name));
  };
  CHECK(number("/", "copy_bytes_per_second") == 50);
  CHECK(std::get<std::string>(*file.attribute("/", "what")) == "linear");
  CHECK(std::get<std::string>(*file.attribute("/case_00", "case")) == "case");
  CHECK(number("/case_00/contestant_0", "bytes_formula") == 80);
  CHECK(number("/case_00/contestant_0", "seconds_median") == 3);
  // 100 bytes in 3 seconds, 50 a second.
  CHECK(number("/case_00/contestant_0", "share_of_copy_bandwidth") == Approx(2.0 / 3));
  CHECK(number("/case_00/contestant_1", "ratio") == 2);
  CHECK(!file.attribute("/case_00/contestant_1", "bytes_formula"));
  CHECK(std::get<std::vector<double>>(file.column("/case_00/contestant_1", "seconds")) ==
        std::vector<double>{4, 2, 12, 8, 10});
  CHECK(file.groups("/") == std::vector<std::string>{"case_00", "case_01"});
  std::ostringstream out;
  CHECK_THROWS_WITH(bench_command({.what = "append", .hdf5 = folder / "bench.h5"}, out),
                    Contains("exists; expected a new file"));
  CHECK_THROWS_AS(write_hdf5(run, folder / "bench.h5"), ConfigError);
}

TEST_CASE("bench: a decode step of a whole model, its bytes by hand") {
  std::ostringstream out;
  const test::TemporaryFolder folder;
  const BenchOptions options{.what = "end-to-end",
                             .model = "1b",
                             .layers = 1,
                             .contexts = {128},
                             .repeat = 1,
                             .json = folder / "bench.json"};
  REQUIRE(bench_command(options, out) == 0);
  INFO(out.str());
  CHECK_THAT(out.str(), Contains("end-to-end 1b layers 1 context 128") &&
                            Contains("packed W4KV4") && Contains("tokens/s"));
  const nlohmann::json file = read_json_file(folder / "bench.json");
  const auto& contestants = file["cases"][0]["contestants"];
  REQUIRE(contestants.size() == 3);
  // Query and output 2048 x 2048, key and value 256 x 2048, three of 5632 x 2048; a head of 32000,
  // three norms; a cache of 4 heads of 64, keys and values.
  const double linears = 2 * 2048 * 2048 + 2 * 256 * 2048 + 3 * 5632 * 2048;
  const double others = 32000 * 2048 + 3 * 2048, cached = 128 * 2 * 4 * 64;
  CHECK(contestants[1]["bytes_formula"] == 4 * (linears + others + cached));
  CHECK(contestants[2]["bytes_formula"] == 2 * (linears + others + cached));
  // Groups of 128 have a float16 scale and a 4-bit zero point; those of 64 of the cache a float16
  // scale and minimum.
  CHECK(contestants[0]["bytes_formula"] ==
        linears / 2 + linears / 128 * 2.5 + others * 4 + cached / 2 + cached / 64 * 4);
  // What is held beside: a page that waits for tokens, the newest token, padding.
  for (const auto& contestant : contestants) {
    const double held = contestant["bytes"], formula = contestant["bytes_formula"];
    CHECK(held >= formula);
    CHECK(held < 1.01 * formula);
  }
}

TEST_CASE("bench: a model that does not fit into free memory is refused with what would") {
  ModelConfig model = bench_shapes("llama-2-7b");
  const BenchOptions options{.what = "end-to-end"};
  const double needed = end_to_end_bytes(model, options, 8192, 4);
  // 6.61 billion weights with the head in 32 and 16 bits; 6.48 in 4.16 bits and a head of 0.131 in
  // 32; a cache of 2.15 billion values in 32, 16 and 4.25 bits.
  const double weights = 6.61 * 4 + 6.61 * 2 + 6.48 * 4.16 / 8 + 0.131 * 4;
  CHECK(needed == Approx(1e9 * (weights + 2.147 * (4 + 2 + 4.25 / 8))).epsilon(0.002));
  CHECK_THROWS_WITH(require_memory(needed, 20e9, model),
                    Contains("with 32 layers holds 57.") &&
                        Contains("20.0 GB of memory are free") &&
                        Contains("expected fewer --layers"));
  require_memory(needed, 2 * needed, model);
  model.layers = 4;
  CHECK(end_to_end_bytes(model, options, 8192, 4) < 10e9);
  CHECK(available_bytes() > 1e6);
}

TEST_CASE("bench: what is unknown or not supported is refused before anything is measured") {
  std::ostringstream out;
  const auto refused = [&](BenchOptions options, const char* message) {
    REQUIRE_THROWS_WITH(bench_command(options, out), Contains(message));
    REQUIRE_THROWS_AS(bench_command(options, out), ConfigError);
  };
  refused({.what = "encode"}, "'encode' is unknown; expected decode, append, linear");
  refused({.what = "decode", .model = "gpt"}, "expected one of 1b, llama-2-7b, llama-2-13b");
  refused({.what = "decode", .bits = {5}},
          "5 bits of the keys are not supported; expected 2, 3, 4");
  refused({.what = "linear", .bits = {6}}, "6 bits are not supported");
  refused({.what = "decode", .group = 48}, "group_size 48");
  refused({.what = "decode", .contexts = {0}}, "--context 0; expected positive");
  refused({.what = "linear", .batches = {-1}}, "--batch -1");
  refused({.what = "linear", .repeat = 0}, "--repeat 0");
  refused({.what = "linear", .layers = 2}, "--layers 2; expected 1 to 32, with end-to-end only");
  refused({.what = "end-to-end", .model = "1b", .layers = 23}, "--layers 23; expected 1 to 22");
  refused({.what = "end-to-end", .batches = {2}}, "--batch is not for end-to-end");
  refused({.what = "end-to-end", .bits = {6}}, "6 bits are not supported");
  refused({.what = "linear", .device = "tpu"}, "device 'tpu' is not known; expected cpu, cuda");
  REQUIRE(out.str().empty());
}
