#include "experiments/pack_command.h"

#include <sstream>

#include "core/base/safetensors.h"
#include "core/packed_file.h"
#include "core/packed_weight.h"
#include "core/torch_headers.h"
#include "experiments/generate_command.h"
#include "experiments/quantized_model.h"
#include "tests/support/catch.h"

using namespace wkvq;
using Catch::Matchers::Contains;

namespace {

const std::string kFour =
    "{name: rtn, weight: {bits: 4, group_size: 64}, kv: {bits: 4, group_size: 64, "
    "channel: {shift: static, scale: static}}}";

class Fixture {
 public:
  explicit Fixture(const std::string& method = kFour) {
    test::write_file(
        folder_ / "one.yaml",
        fmt::format("name: one\nmodel: {{path: {}}}\nmethod: {}\n"
                    "calibration: {{dataset: {{name: self}}, samples: 2, length: 32}}\n",
                    test::source("datasets/mini").string(), method));
  }
  std::filesystem::path operator/(const std::string& name) const { return folder_ / name; }

  void pack(const std::string& out) const {
    std::ostringstream report;
    const int code = pack_command(
        {.config = folder_ / "one.yaml", .out = folder_ / out, .results = folder_ / "results"},
        report);
    REQUIRE(code == 0);
  }

  std::string text(GenerateOptions options) const {
    options.prompt = "Once upon a time";
    options.max_tokens = 40;
    options.results = folder_ / "results";
    std::ostringstream out, report;
    REQUIRE(generate_command(options, out, report) == 0);
    return out.str();
  }

  std::string error(const std::string& file, const std::string& model = "") const {
    return test::error_of([&] {
      std::ostringstream out, report;
      generate_command({.model = model, .packed = folder_ / file, .prompt = "a"}, out, report);
    });
  }

 private:
  test::TemporaryFolder folder_;
};

}  // namespace

TEST_CASE("pack: the file writes what quantizing again writes, bit for bit the same blocks") {
  const Fixture fixture;
  fixture.pack("model.packed");
  const std::string expected =
      fixture.text({.config = fixture / "one.yaml", .storage = Storage::kPacked});
  CHECK(fixture.text({.packed = fixture / "model.packed"}) == expected);
  CHECK(fixture.text({.model = test::source("datasets/mini").string(),
                      .packed = fixture / "model.packed"}) == expected);

  const QuantizationRequest request{.config = fixture / "one.yaml", .storage = Storage::kPacked};
  const RunConfig config = read_request(request);
  Session session(fixture / "results/cache");
  auto again = quantize_model(request, config, session);
  auto read = packed_blocks(PackedFile(fixture / "model.packed"), config, session);
  REQUIRE(read.size() == again.size());
  for (size_t i = 0; i < read.size(); ++i) {
    std::map<std::string, at::Tensor> codes;
    again[i].weights.visit_linears(
        [&](const char* name, Linear& linear) { codes[name] = linear.packed->data(); });
    read[i].weights.visit_linears([&](const char* name, Linear& linear) {
      REQUIRE(linear.packed);
      REQUIRE(at::equal(linear.packed->data(), codes.at(name)));
    });
    REQUIRE(at::equal(read[i].weights.input_norm, again[i].weights.input_norm));
    REQUIRE(at::equal(read[i].codec.key.shift(), again[i].codec.key.shift()));
    REQUIRE(at::equal(read[i].codec.value.scale(), again[i].codec.value.scale()));
  }
}

TEST_CASE("pack: a damaged file, another version, another model are refused") {
  const Fixture fixture;
  fixture.pack("model.packed");
  std::ifstream file(fixture / "model.packed", std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), {});
  const auto damaged = [&](const std::string& content) {
    test::write_file(fixture / "bad.packed", content);
    return fixture.error("bad.packed");
  };
  for (const size_t length : {bytes.size() - 1, bytes.size() / 2, size_t{100}, size_t{0}})
    CHECK_THAT(damaged(bytes.substr(0, length)), Contains("bad.packed"));
  // A code, a scale, the last byte: each alone.
  for (const size_t at : {bytes.size() / 3, bytes.size() / 2, bytes.size() - 1}) {
    std::string changed = bytes;
    changed[at] = static_cast<char>(changed[at] ^ 1);
    CHECK_THAT(damaged(changed), Contains("bad.packed: its content is not what was written"));
  }
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string changed = bytes;
    changed.replace(changed.find(from), from.size(), to);
    return damaged(changed);
  };
  CHECK_THAT(with("\"version\":\"1\"", "\"version\":\"2\""),
             Contains("version 2 of packed models; expected 1"));
  CHECK_THAT(with("wkvq packed model", "wkvq packed modem"), Contains("no packed model"));
  CHECK_THAT(with("bits: 4", "bits: 3"), Contains("its content is not what was written"));
  CHECK_THAT(fixture.error("model.packed", test::source("tests/golden/models/llama_mha").string()),
             Contains("packed from another model") || Contains("tokenizer"));
  CHECK_THAT(fixture.error("none.packed"), Contains("none.packed"));
  std::filesystem::copy(test::source("datasets/mini/model.safetensors"), fixture / "plain.packed");
  CHECK_THAT(fixture.error("plain.packed"),
             Contains("plain.packed: no packed model; expected a file of `wkvq pack`"));
}

TEST_CASE("pack: what a file cannot hold is refused, and none is written") {
  const auto refused = [](const std::string& method, const std::string& part) {
    const Fixture fixture(method);
    const std::string message = test::error_of([&] { fixture.pack("model.packed"); });
    CHECK_THAT(message, Contains(part));
    CHECK(!std::filesystem::exists(fixture / "model.packed"));
  };
  refused("{name: rtn, weight: {bits: 6}}", "6 bits are not supported");
  // Before any work: its calibration would need text that is not there.
  refused(
      "{name: omniquant, weight: {bits: 4}, activation: {bits: 8}, training: {epochs: 1000000}}",
      "method.activation quantizes the inputs of linears");
  const Fixture fixture;
  test::write_file(fixture / "model.packed", "mine");
  CHECK_THAT(test::error_of([&] { fixture.pack("model.packed"); }),
             Contains("exists; expected a new file"));
  CHECK_THAT(
      test::error_of([&] {
        std::ostringstream out, report;
        generate_command(
            {.config = fixture / "one.yaml", .packed = fixture / "model.packed", .prompt = "a"},
            out, report);
      }),
      Contains("expected no --config"));
}
