#include "experiments/commands/pack_command.h"

#include <algorithm>
#include <cstring>
#include <sstream>

#include "core/base/checkpoint/safetensors.h"
#include "core/base/files/hash.h"
#include "core/calibrate/packed_file.h"
#include "core/device/torch_headers.h"
#include "core/number/packed_weight.h"
#include "experiments/commands/generate_command.h"
#include "experiments/run/quantized_model.h"
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

TEST_CASE("pack: inputs that are quantized token by token stay so") {
  const std::string method = "{name: rtn, weight: {bits: 4, group_size: 64}, activation: {format: ";
  const auto text = [&](const std::string& format) {
    const Fixture fixture(method + format + "}}");
    fixture.pack("model.packed");
    const std::string packed = fixture.text({.packed = fixture / "model.packed"});
    CHECK(packed == fixture.text({.config = fixture / "one.yaml", .storage = Storage::kPacked}));
    return packed;
  };
  // Two bits of inputs write something else, so the file does say it.
  CHECK(text("q8_0") != text("int2"));
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

namespace {

/// A packed file whose tensors can be changed; its hash is made right again, as an attacker would.
class Crafted {
 public:
  explicit Crafted(const std::filesystem::path& path) : file_(path), entries(file_.tensors()) {}

  TensorEntry& at(const std::string& name) {
    return *std::ranges::find(entries, name, &TensorEntry::name);
  }
  /// Other values in the place of a tensor's; where it is missing, a new one.
  void set(const std::string& name, const std::string& dtype, std::vector<int64_t> shape,
           std::string bytes) {
    auto found = std::ranges::find(entries, name, &TensorEntry::name);
    if (found == entries.end()) found = entries.insert(found, TensorEntry{.name = name});
    kept_.push_back(std::make_unique<std::string>(std::move(bytes)));
    *found = {name, dtype, std::move(shape),
              reinterpret_cast<const std::byte*>(kept_.back()->data()), kept_.back()->size()};
  }
  void set_number(const std::string& name, size_t index, int64_t value) {
    const TensorEntry& entry = at(name);
    std::string bytes(reinterpret_cast<const char*>(entry.data), entry.bytes);
    std::memcpy(bytes.data() + index * sizeof value, &value, sizeof value);
    set(name, entry.dtype, entry.shape, bytes);
  }
  void write(const std::filesystem::path& path) const {
    auto metadata = file_.metadata();
    Hasher hasher;
    hasher.add_part(metadata.at("model_fingerprint")).add_part(metadata.at("configuration"));
    for (const TensorEntry& entry : entries) {
      hasher.add_part(entry.name).add_part(entry.dtype);
      hasher.add(entry.shape.data(), entry.shape.size() * sizeof(int64_t));
      hasher.add(entry.data, entry.bytes);
    }
    metadata["hash"] = hasher.hex();
    write_safetensors(path, entries, metadata);
  }

 private:
  SafetensorsFile file_;
  std::vector<std::unique_ptr<std::string>> kept_;

 public:
  std::vector<TensorEntry> entries;
};

std::string halves(size_t count) {
  return std::string(2 * count, '\0');
}

}  // namespace

TEST_CASE("pack: crafted files with the right hash are refused for what is wrong in them") {
  const Fixture fixture;
  fixture.pack("model.packed");
  const auto crafted = [&](const std::function<void(Crafted&)>& change) {
    Crafted file(fixture / "model.packed");
    change(file);
    file.write(fixture / "bad.packed");
    return fixture.error("bad.packed");
  };
  CHECK(crafted([](Crafted&) {}).empty());
  CHECK_THAT(crafted([](Crafted& f) {
               f.set("block_00/q_proj/factor", "F32", {1}, std::string(4, '\0'));
             }),
             Contains("q_proj: its format or size is not that of packed codes"));
  const std::string format = "block_00/q_proj/format";
  constexpr int64_t kHuge = std::numeric_limits<int64_t>::max();
  // Bits, outputs, inputs, group, stored scale, form, wide zero points.
  for (const auto& [index, value] : std::vector<std::pair<size_t, int64_t>>{{0, 5},
                                                                            {0, kHuge},
                                                                            {1, 0},
                                                                            {1, kHuge},
                                                                            {2, -64},
                                                                            {2, kHuge},
                                                                            {3, kHuge},
                                                                            {3, kHuge - 1},
                                                                            {3, int64_t{1} << 32},
                                                                            {3, 0},
                                                                            {3, -1},
                                                                            {3, 48},
                                                                            {3, 32},
                                                                            {0, 8},
                                                                            {4, 0},
                                                                            {4, 99},
                                                                            {5, -1},
                                                                            {5, 99},
                                                                            {6, 2}}) {
    INFO("number " << index << " is " << value);
    CHECK_THAT(crafted([&](Crafted& f) { f.set_number(format, index, value); }),
               Contains("block_00/q_proj: its format or size"));
  }
  CHECK_THAT(crafted([&](Crafted& f) { f.at(format).shape = {1, 7}; }), Contains("its format"));
  CHECK_THAT(crafted([](Crafted& f) {
               auto& codes = f.at("block_00/q_proj/codes");
               codes.shape = {1, codes.shape[0]};
             }),
             Contains("its format or size"));
  const auto tensor = [&](const std::string& name, const std::string& dtype,
                          std::vector<int64_t> shape, size_t count) {
    return crafted([&](Crafted& f) {
      f.set(name, dtype, shape, dtype == "F32" ? halves(2 * count) : halves(count));
    });
  };
  const auto own = Crafted(fixture / "model.packed").at("block_00/input_norm");
  const auto hidden = static_cast<size_t>(own.shape[0]);
  REQUIRE(own.dtype == "F32");
  CHECK_THAT(tensor("block_00/input_norm", "F16", own.shape, hidden),
             Contains("block_00/input_norm: dtype F16; expected F32"));
  CHECK_THAT(tensor("block_00/post_norm", "I64", {own.shape[0] / 4}, hidden),
             Contains("no tensor of the shape"));
  CHECK_THAT(tensor("block_00/input_norm", "F32", {1, own.shape[0]}, hidden),
             Contains("no tensor of the shape"));
  CHECK_THAT(tensor("block_00/q_proj/bias", "F32", own.shape, hidden),
             Contains("block_00/q_proj/bias: the model has no such tensor"));
  CHECK_THAT(tensor("block_00/query_norm", "F32", {64}, 64), Contains("the model has no such"));
  CHECK_THAT(tensor("block_00/q_proj/weight", "F32", {own.shape[0], own.shape[0]}, hidden * hidden),
             Contains("q_proj: expected either codes or a weight"));
  CHECK_THAT(tensor("block_00/q_proj/basis", "F32", {own.shape[0], own.shape[0]}, hidden * hidden),
             Contains("tensors, of which the model has"));
  CHECK_THAT(tensor("unused", "F32", {1}, 1), Contains("tensors, of which the model has"));
  CHECK_THAT(tensor("block_99/input_norm", "F32", own.shape, hidden),
             Contains("tensors, of which the model has"));
  const auto scale = Crafted(fixture / "model.packed").at("block_00/key/scale");
  CHECK_THAT(crafted([&](Crafted& f) {
               f.set("block_00/key/scale", scale.dtype, scale.shape,
                     std::string(scale.bytes, '\0'));
             }),
             Contains("block_00/key/scale: values that are not finite, or scales not above zero"));
  CHECK_THAT(crafted([&](Crafted& f) {
               std::erase_if(f.entries,
                             [](const auto& e) { return e.name == "block_00/input_norm"; });
             }),
             Contains("block_00/input_norm: no tensor"));
  CHECK_THAT(crafted([&](Crafted& f) {
               std::erase_if(f.entries,
                             [](const auto& e) { return e.name.starts_with("block_00/o_proj/"); });
             }),
             Contains("o_proj: expected either codes or a weight"));
}

TEST_CASE("pack: weights in every kind of format that packs") {
  for (const char* format : {"nvfp4", "mxfp4", "mxfp8", "fp8_e4m3_cast", "iq4_nl"}) {
    INFO(format);
    const Fixture fixture(fmt::format("{{name: rtn, weight: {{format: {}}}}}", format));
    fixture.pack("model.packed");
    CHECK(fixture.text({.packed = fixture / "model.packed"}) ==
          fixture.text({.config = fixture / "one.yaml", .storage = Storage::kPacked}));
    // A factor of 0, and a format of another number of bits.
    const std::vector<std::tuple<std::string, std::string, std::string>> changes{
        {"factor", "F32", std::string(4, 0)},
        {"elements", "U8", "mxfp6"},
        {"elements", "U8", "int4"}};
    for (const auto& [part, dtype, bytes] : changes) {
      Crafted crafted(fixture / "model.packed");
      crafted.set("block_00/q_proj/" + part, dtype,
                  {static_cast<int64_t>(part == "factor" ? 1 : bytes.size())}, bytes);
      crafted.write(fixture / "bad.packed");
      CHECK_THAT(fixture.error("bad.packed"),
                 Contains("block_00/q_proj: its elements are those of no number format"));
    }
  }
}

TEST_CASE("pack: what a file cannot hold is refused, and none is written") {
  const auto refused = [](const std::string& method, const std::string& part) {
    const Fixture fixture(method);
    const std::string message = test::error_of([&] { fixture.pack("model.packed"); });
    CHECK_THAT(message, Contains(part));
    CHECK(!std::filesystem::exists(fixture / "model.packed"));
  };
  refused("{name: rtn, weight: {bits: 6}}", "6 bits are not supported");
  refused("{name: rtn, weight: {format: mxfp6}}", "format mxfp6 is not supported");
  // Before any work: its calibration would need text that is not there.
  refused("{name: smoothquant, weight: {bits: 4}, activation: {bits: 8, scale: tensor}}",
          "method.activation takes calibrated ranges (scale: tensor) or another basis");
  refused(
      "{name: rotation, residual: false, values: false, weight: {bits: 4}, activation: {bits: 8}}",
      "method.activation takes calibrated ranges (scale: tensor) or another basis");
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
