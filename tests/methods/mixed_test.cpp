#include "methods/mixed/mixed.h"

#include <random>

#include "core/base/run/run_file.h"
#include "core/calibrate/pipeline.h"
#include "core/device/torch_headers.h"
#include "methods/mixed/bit_budget.h"
#include "tests/support/block_fixture.h"

using namespace wkvq;

namespace {

/// The least loss within `budget` stored bits by trying every assignment.
double brute_force(const std::vector<BitPlace>& places, int64_t budget) {
  size_t count = 1;
  for (const BitPlace& place : places) count *= place.choices.size();
  double best = std::numeric_limits<double>::infinity();
  for (size_t code = 0; code < count; ++code) {
    size_t rest = code;
    int64_t size = 0;
    double loss = 0;
    for (const BitPlace& place : places) {
      const BitChoice& choice = place.choices[rest % place.choices.size()];
      rest /= place.choices.size();
      size += place.elements * choice.bits;
      loss += choice.loss;
    }
    if (size <= budget) best = std::min(best, loss);
  }
  return best;
}

const ModelConfig model{};  // bits by place do not depend on it

struct SensitivityRow {
  int64_t block;
  std::string part;
  int64_t bits;
  double nll_increase;
  std::string format = {};
};

/// 0 where nothing was picked.
int64_t bits_of(const BitBudget& budget, int64_t layer, const std::string& part) {
  const BitChoice* picked = budget.picked(layer, part);
  return picked ? picked->bits : 0;
}

/// A run file as `wkvq sensitivity` writes it, 10 elements a place.
std::filesystem::path write_sensitivity(const std::filesystem::path& path,
                                        const std::vector<SensitivityRow>& rows,
                                        const std::vector<SensitivityRow>* divergence = nullptr) {
  RunFileWriter writer(path, {"sensitivity-1", "demo", "model: {path: m}\n"});
  writer.attribute("/", "model_fingerprint", "abc");
  std::vector<int64_t> block, bits;
  std::vector<std::string> part, format;
  std::vector<double> increase;
  for (const SensitivityRow& row : rows) {
    format.push_back(row.format);
    block.push_back(row.block);
    part.push_back(row.part);
    bits.push_back(row.bits);
    increase.push_back(row.nll_increase);
  }
  writer.column("/sensitivity", "block", block);
  writer.column("/sensitivity", "part", part);
  writer.column("/sensitivity", "bits", bits);
  writer.column("/sensitivity", "nll_increase", increase);
  if (std::ranges::any_of(format, [](const std::string& name) { return !name.empty(); }))
    writer.column("/sensitivity", "format", format);
  if (divergence) {
    std::vector<double> kl;
    for (const SensitivityRow& row : *divergence) kl.push_back(row.nll_increase);
    writer.column("/sensitivity", "kl", kl);
  }
  writer.column("/sensitivity", "elements", std::vector<int64_t>(rows.size(), 10));
  writer.finish();
  return path;
}

/// Keys of block 0 need bits, everything else hardly does.
const std::vector<SensitivityRow> kRows{
    {0, "keys", 4, 0.01},   {0, "keys", 2, 0.5},  {0, "values", 4, 0.001}, {0, "values", 2, 0.01},
    {1, "keys", 4, 0.002},  {1, "keys", 2, 0.03}, {1, "values", 4, 0.001}, {1, "values", 2, 0.005},
    {0, "weights", 4, 0.1}, {0, "weights", 2, 1}, {1, "weights", 4, 0.05}, {1, "weights", 2, 0.2}};

std::string name_of(const std::filesystem::path& path, const std::string& averages) {
  return fmt::format("{{name: mixed, budget: {{from: {}, {}}}}}", path.string(), averages);
}

}  // namespace

TEST_CASE("bit front: by hand") {
  // Losses at 2 and 4 bits; the second place is three times as large.
  const auto front = bit_front({{1, {{4, 0}, {2, 3}}}, {3, {{4, 0}, {2, 5}}}});
  REQUIRE(front.size() == 4);
  CHECK(front[0].stored_bits == 8);
  CHECK(front[0].loss == 8);
  CHECK(front[1].stored_bits == 10);
  CHECK(front[1].loss == 5);
  CHECK(front[1].choices == std::vector<size_t>{0, 1});
  CHECK(front[2].stored_bits == 14);
  CHECK(front[2].loss == 3);
  CHECK(front[3].stored_bits == 16);
  CHECK(best_within(front, 3.4, 4) == &front[1]);  // 13.6 of 4 elements
  CHECK(best_within(front, 1.9, 4) == nullptr);
  // Dominated: more bits for no less loss.
  CHECK(bit_front({{1, {{8, 1}, {4, 1}, {2, 2}}}}).size() == 2);
}

TEST_CASE("bit front: equals trying every assignment, negative losses and unequal places too") {
  std::mt19937 random(7);
  const std::vector<int64_t> bits{2, 3, 4, 8};
  for (int trial = 0; trial < 30; ++trial) {
    std::vector<BitPlace> places(5);
    int64_t elements = 0;
    for (BitPlace& place : places) {
      place.elements = 1 + random() % 9;
      elements += place.elements;
      for (const int64_t b : bits)  // thousands: sums are exact, whatever their order
        place.choices.push_back({b, static_cast<double>(random() % 1000) / 1024 - 0.1875});
    }
    const auto front = bit_front(places);
    for (size_t i = 1; i < front.size(); ++i) {
      REQUIRE(front[i].stored_bits > front[i - 1].stored_bits);
      REQUIRE(front[i].loss < front[i - 1].loss);
    }
    for (int64_t budget = 2 * elements; budget <= 8 * elements; ++budget) {
      const FrontPoint* best =
          best_within(front, static_cast<double>(budget) / static_cast<double>(elements), elements);
      REQUIRE(best);
      REQUIRE(best->loss == brute_force(places, budget));
    }
    // Uniform bits are one of the assignments: never better.
    for (size_t i = 0; i < bits.size(); ++i) {
      double uniform = 0;
      for (const BitPlace& place : places) uniform += place.choices[i].loss;
      REQUIRE(best_within(front, static_cast<double>(bits[i]), elements)->loss <= uniform);
    }
  }
}

TEST_CASE("mixed: the last rule that matches wins, over the budget too") {
  const auto method = test::method_of(
      "{name: mixed, weight: {bits: 4}, kv: {bits: 4, value: {bits: 3}}, rules: "
      "[{match: 'block_0[0-1]/*_proj', bits: 8}, {match: 'block_*/key', bits: 3}, "
      "{match: block_01/key, bits: 16}, {match: '*/q_proj', bits: 2}]}");
  CHECK(method->kv_of(0, model).key.bits == 3);
  CHECK(method->kv_of(1, model).key.bits == 16);
  CHECK(method->kv_of(0, model).value.bits == 3);
  // One row of 64 inputs: scale of 32 bits and a zero point.
  CHECK(method->weight_bits(0, "up_proj", 64, 32) == 8 + (32 + 8) / 64.0);
  CHECK(method->weight_bits(0, "q_proj", 64, 32) == 2 + (32 + 2) / 64.0);
  CHECK(method->weight_bits(2, "up_proj", 64, 32) == 4 + (32 + 4) / 64.0);
  // Rules may name formats, which bring form and block along.
  const auto formats = test::method_of(
      "{name: mixed, weight: {bits: 4}, kv: {bits: 4}, rules: [{match: '*/down_proj', format: "
      "mxfp4}, {match: 'block_01/*', bits: 8}, {match: '*/key', format: q4_1}, {match: '*/value', "
      "format: fp8_e4m3_cast}]}");
  CHECK(formats->weight_bits(0, "down_proj", 64, 32) == 4.25);
  CHECK(formats->weight_bits(1, "down_proj", 64, 32) == 8 + (32 + 8) / 64.0);
  const KvOptions kv = formats->kv_of(1, model);
  CHECK((kv.key.bits == 4 && kv.key.group_size == 32 && kv.key.form == QuantForm::kMinimum));
  CHECK((kv.value.bits == 8 && kv.value.form == QuantForm::kSymmetric));
  CHECK(std::string(number_format(kv.value.format).name) == "fp8_e4m3_cast");
  const test::TemporaryFolder folder;
  const auto path = write_sensitivity(folder / "s.h5", kRows);
  const auto picked = test::method_of(
      fmt::format("{{name: mixed, rules: [{{match: block_01/key, bits: 8}}], budget: {{from: {}, "
                  "average_kv_bits: 2.5}}}}",
                  path.string()));
  CHECK(picked->kv_of(0, model).key.bits == 4);
  CHECK(picked->kv_of(0, model).value.bits == 2);
  CHECK(picked->kv_of(1, model).key.bits == 8);
  CHECK(picked->kv_of(1, model).value.bits == 2);
  CHECK(picked->input_identities("abc") == std::vector<std::string>{"sensitivity-1"});
  // Of two formats of as many bits the better one is picked; whole numbers where they are better.
  const auto named = write_sensitivity(folder / "f.h5", {{0, "keys", 4, 0.5},
                                                         {0, "keys", 4, 0.3, "q4_0"},
                                                         {0, "values", 4, 0.1},
                                                         {0, "values", 4, 0.3, "q4_0"},
                                                         {1, "keys", 4, 0.2},
                                                         {1, "values", 4, 0.2}});
  const auto either = test::method_of(
      fmt::format("{{name: mixed, budget: {{from: {}, average_kv_bits: 4}}}}", named.string()));
  CHECK(std::string(number_format(either->kv_of(0, model).key.format).name) == "q4_0");
  CHECK(either->kv_of(0, model).key.group_size == 32);
  CHECK(either->kv_of(0, model).value.format == FormatId::kInteger);
}

TEST_CASE("mixed: without rules it is rtn, with rounding: gptq it is gptq, bit for bit") {
  const std::string options = "weight: {bits: 3, group_size: 16}, kv: {bits: 4}";
  const auto same = [&](const std::string& a, const std::string& b) {
    test::BlockFixture first("tests/golden/models/llama_gqa_head_dim");
    test::BlockFixture second("tests/golden/models/llama_gqa_head_dim");
    QuantizedBlock x = first.calibrated(fmt::format("{{{}, {}}}", a, options), 1);
    QuantizedBlock y = second.calibrated(fmt::format("{{{}, {}}}", b, options), 1);
    std::map<std::string, at::Tensor> expected;
    y.weights.visit_linears([&](const char* name, Linear& l) { expected[name] = l.weight; });
    x.weights.visit_linears([&](const char* name, Linear& l) {
      INFO(name);
      CHECK(l.weight.equal(expected.at(name)));
    });
  };
  same("name: mixed", "name: rtn");
  same("name: mixed, rounding: gptq", "name: gptq");
}

TEST_CASE("mixed: a rule touches its places only, whatever rounds") {
  for (const char* rounding : {"nearest", "gptq"}) {
    test::BlockFixture fixture("tests/golden/models/llama_gqa_head_dim");
    const auto method = test::method_of(
        fmt::format("{{name: mixed, rounding: {}, weight: {{bits: 16, group_size: 16}}, rules: "
                    "[{{match: block_01/up_proj, bits: 4}}, {{match: block_01/value, bits: 2}}]}}",
                    rounding));
    for (int64_t layer = 0; layer < 2; ++layer) {
      QuantizedBlock block = fixture.calibrated(*method, layer);
      std::map<std::string, at::Tensor> original;
      fixture.model().block(layer).visit_linears(
          [&](const char* name, Linear& l) { original[name] = l.weight; });
      block.weights.visit_linears([&](const char* name, Linear& l) {
        INFO(rounding << ", block " << layer << ", " << name);
        const bool ruled = layer == 1 && std::string(name) == "up_proj";
        CHECK(l.weight.equal(original.at(name)) == !ruled);
      });
      CHECK(block.codec.key.identity());
      CHECK(block.codec.value.identity() == (layer == 0));
    }
    const auto& bits =
        std::get<std::vector<int64_t>>(fixture.recorder().columns.at("/calibration/bits/bits"));
    REQUIRE(bits.size() == 9 * static_cast<size_t>(fixture.model().config().layers));
    CHECK(bits[9 + 5] == 4);  // up_proj of block 1
    CHECK(bits[9 + 8] == 2);  // its values
    CHECK(std::count(bits.begin(), bits.end(), 16) == static_cast<int64_t>(bits.size()) - 2);
  }
}

TEST_CASE("mixed: a pattern that matches nothing is an error with examples") {
  test::BlockFixture fixture("tests/golden/models/llama_gqa_head_dim");
  const auto method = test::method_of("{name: mixed, rules: [{match: 'block_7*/key', bits: 4}]}");
  REQUIRE_CONFIG_ERROR(method->check(fixture.model().config()),
                       "'block_7*/key' matches no place of the model; expected a pattern over "
                       "block_00/q_proj");
  REQUIRE_CONFIG_ERROR(test::method_of("{name: mixed, rules: [{match: a, bits: 1}]}"),
                       "method.rules.0.bits: 1 bits; expected 2 to 8");
  REQUIRE_CONFIG_ERROR(test::method_of("{name: mixed, rules: [{match: a}]}"), "0 bits");
  REQUIRE_CONFIG_ERROR(test::method_of("{name: mixed, rules: [{bits: 4}]}"), "match: missing");
  // What only a rule quantizes is checked too.
  REQUIRE_CONFIG_ERROR(
      test::method_of("{name: mixed, weight: {bits: 16, group_size: 4096}, rules: [{match: "
                      "'*/q_proj', bits: 4}]}")
          ->check(fixture.model().config()),
      "group_size 4096");
}

TEST_CASE("mixed: a budget picks by hand, records its front and refuses foreign files") {
  const test::TemporaryFolder folder;
  const auto path = write_sensitivity(folder / "s.h5", kRows);
  test::MemoryRecorder recorder;
  BitBudget({path.string(), BudgetMeasure::kNll, 3, 2.5}).record(recorder);
  // Two of two weights at 2 and 4 bits: block 0 gains 0.9 by 4 bits, block 1 0.15.
  const BitBudget by_nll({path.string(), BudgetMeasure::kNll, 3, 0});
  CHECK(bits_of(by_nll, 0, "weights") == 4);
  CHECK(bits_of(by_nll, 1, "weights") == 2);
  CHECK(bits_of(by_nll, 0, "keys") == 0);
  const auto number = [&](const std::string& name) {
    return std::get<double>(recorder.attributes.at("/calibration/" + name));
  };
  CHECK(number("front_weights/average_bits") == 3);
  CHECK(number("front_weights/predicted_loss") == Approx(0.3));
  CHECK(number("front_kv/average_bits") == 2.5);
  CHECK(number("front_kv/predicted_loss") == Approx(0.055));
  const auto& bits =
      std::get<std::vector<double>>(recorder.columns.at("/calibration/front_kv/average_bits"));
  CHECK(bits == std::vector<double>{2, 2.5, 3, 3.5, 4});

  REQUIRE_CONFIG_ERROR(test::method_of(name_of(path, "measure: kl, average_kv_bits: 3")),
                       "has no column 'kl'");
  // By divergence the values of block 1 are what needs bits.
  auto other = kRows;
  for (SensitivityRow& row : other)
    row.nll_increase = row.block == 1 && row.part == "values" && row.bits == 2 ? 1 : 0.001;
  const auto both = write_sensitivity(folder / "kl.h5", kRows, &other);
  const BitBudget by_kl({both.string(), BudgetMeasure::kKl, 0, 2.5});
  CHECK(bits_of(by_kl, 1, "values") == 4);
  CHECK(bits_of(by_kl, 0, "keys") == 2);

  REQUIRE_CONFIG_ERROR(test::method_of(name_of(path, "average_kv_bits: 1.5")),
                       "method.budget: an average of 1.5 bits is below the least");
  REQUIRE_CONFIG_ERROR(test::method_of(name_of(folder / "no.h5", "average_kv_bits: 3")),
                       "method.budget.from: no file");
  test::write_file(folder / "words.h5", "words");
  REQUIRE_CONFIG_ERROR(test::method_of(name_of(folder / "words.h5", "average_kv_bits: 3")),
                       "not a readable HDF5 file");
  REQUIRE_CONFIG_ERROR(
      test::method_of(fmt::format("{{name: mixed, budget: {{from: {}}}}}", path.string())),
      "expected average_weight_bits or average_kv_bits");
  REQUIRE_CONFIG_ERROR(test::method_of("{name: mixed, budget: {average_kv_bits: 3}}"),
                       "expected 'from'");
  REQUIRE_CONFIG_ERROR(
      test::method_of(name_of(path, "average_kv_bits: 3"))->input_identities("xyz"),
      "was measured on another model (fingerprint abc)");
  RunFileWriter plain(folder / "run.h5", {"run-1", "demo", "model: {path: m}\n"});
  plain.finish();
  REQUIRE_CONFIG_ERROR(test::method_of(name_of(folder / "run.h5", "average_kv_bits: 3")),
                       "is not the run file of a finished wkvq sensitivity");
  const auto keys = write_sensitivity(folder / "keys.h5", {{0, "keys", 4, 0.1}});
  REQUIRE_CONFIG_ERROR(test::method_of(name_of(keys, "average_weight_bits: 4")),
                       "holds no probes of weights");
}
