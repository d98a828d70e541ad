#include "core/kv/normal_grid.h"

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/device/torch_headers.h"
#include "core/kv/kv_codec.h"
#include "core/number/codebook.h"
#include "core/number/hadamard.h"
#include "tests/support/catch.h"

using namespace wkvq;

namespace {

const nlohmann::json& golden() {
  static const nlohmann::json table =
      nlohmann::json::parse(std::ifstream(test::source("tests/golden/turboquant.json")));
  return table;
}

at::Tensor numbers(const nlohmann::json& list) {
  return at::tensor(list.get<std::vector<double>>(), at::kDouble);
}

KvTensorOptions turbo(int64_t bits) {
  return {.bits = bits, .rotate = KvRotation::kSigned, .grid = KvGrid::kNormal};
}

KvTensorOptions unbiased(int64_t bits) {
  KvTensorOptions options = turbo(bits);
  options.norm_correction = false;
  options.qjl = true;
  return options;
}

KvTensorCodec codec_of(const KvTensorOptions& options) {
  return {options, ChannelTransform()};
}

/// Vectors of length 1, even over the sphere, [1, 1, count, n].
at::Tensor directions(int64_t count, int64_t n) {
  const at::Tensor x = at::randn({1, 1, count, n}, at::kDouble);
  return x / x.norm(2, {-1}, true);
}

double largest_difference(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>();
}

}  // namespace

TEST_CASE("normal codebook: by hand, as Max tabulated it, and each value the mean of its cell") {
  // One bit: the mean of half a normal distribution, sqrt(2 / pi).
  REQUIRE(std::abs(normal_codebook(2)[1].item<double>() - 0.7978845608028654) < 1e-14);
  // Max 1960, table I, whose last digits are cut or rounded: 1e-3.
  const at::Tensor four = at::tensor({-1.510, -0.4528, 0.4528, 1.510}, at::kDouble);
  REQUIRE(largest_difference(normal_codebook(4), four) < 1e-3);
  const at::Tensor half = at::tensor({0.2451, 0.7560, 1.344, 2.152}, at::kDouble);
  REQUIRE(largest_difference(normal_codebook(8).narrow(0, 4, 4), half) < 1e-3);
  // Twenty thousand rounds of Lloyd's iteration leave less than 1e-9.
  REQUIRE(largest_difference(normal_codebook(16), numbers(golden().at("codebook"))) < 1e-9);
  const auto values = normal_codebook(256);
  const auto density = [](double x) { return std::exp(-x * x / 2); };
  for (const int64_t i : {1, 100, 128, 250}) {
    const double c = values[i].item<double>();
    const double low = (values[i - 1].item<double>() + c) / 2;
    const double high = (values[i + 1].item<double>() + c) / 2;
    double mass = 0, moment = 0;
    for (int k = 0; k < 2000; ++k) {  // the midpoint rule: 1e-8 of the cell's width
      const double x = low + (high - low) * (k + 0.5) / 2000;
      mass += density(x);
      moment += x * density(x);
    }
    REQUIRE(std::abs(moment / mass - c) < 1e-8);
  }
}

TEST_CASE("turboquant: codes, lengths and what is read are those of a plain Python script") {
  const at::Tensor x = numbers(golden().at("x")).view({1, 1, 1, -1});
  REQUIRE(at::equal(fixed_signs(16, x), numbers(golden().at("signs"))));
  for (const nlohmann::json& one : golden().at("cases")) {
    KvTensorOptions options = turbo(one.at("bits").get<int64_t>());
    options.norm_correction = one.at("norm_correction").get<bool>();
    options.qjl = one.at("qjl").get<bool>();
    options.scale_dtype = ScaleDtype::kFloat16;
    const KvTensorCodec codec = codec_of(options);
    const EncodedKv encoded = codec.encode(x);
    INFO(one.dump());
    CHECK(at::equal(encoded.normal.codes.flatten().to(at::kDouble), numbers(one.at("codes"))));
    CHECK(encoded.normal.norm.item<double>() == one.at("norm").get<double>());
    if (options.qjl)
      CHECK(encoded.normal.residual.item<double>() == one.at("residual").get<double>());
    // Sums of sixteen float64 numbers in another order.
    CHECK(largest_difference(codec.fake(x).flatten(), numbers(one.at("read"))) < 1e-13);
  }
}

TEST_CASE("turboquant: the rotation is undone, and the squared error is the published one") {
  at::manual_seed(1);
  const at::Tensor x = directions(2000, 128);
  const KvTensorCodec codec = codec_of(turbo(3));
  REQUIRE(largest_difference(codec.restored(codec.transformed(x)), x) < 1e-14);
  // arXiv 2504.19874, theorem 1: 0.36, 0.117, 0.03, 0.009 at 1, 2, 3, 4 bits; the digits are those
  // of Max's quantizers, and the bound of all bits sqrt(3) pi / 2 4^-bits. Two percent: coordinates
  // of 128 are not quite normal, and 2000 vectors are not all.
  const std::vector<double> published{0.1175, 0.03454, 0.009497};
  for (int64_t bits = 2; bits <= 4; ++bits) {
    KvTensorOptions options = turbo(bits);
    options.norm_correction = false;
    const double error = (codec_of(options).fake(x) - x).square().sum(-1).mean().item<double>();
    const double expected = published[static_cast<size_t>(bits - 2)];
    INFO(bits << " bits: " << error << ", published " << expected);
    CHECK(std::abs(error / expected - 1) < 0.02);
    CHECK(error < std::sqrt(3.0) * M_PI / 2 * std::pow(4.0, -static_cast<double>(bits)));
  }
}

TEST_CASE("turboquant: corrected lengths are those stored, and qjl leaves products unbiased") {
  at::manual_seed(2);
  const at::Tensor x = 3 * directions(2000, 64);
  const at::Tensor lengths = codec_of(turbo(2)).fake(x).norm(2, {-1});
  REQUIRE(largest_difference(lengths, at::full_like(lengths, 3.0)) < 1e-13);
  const auto products = [](const at::Tensor& y, const KvTensorOptions& options) {
    return (codec_of(options).fake(y) * y).sum(-1).flatten() / y.square().sum(-1).flatten();
  };
  KvTensorOptions plain = turbo(3);
  plain.norm_correction = false;
  // What is read is the mean of its cell, so <x', x> falls short by the distortion; coordinates of
  // 512 are normal to about one part in as many.
  const at::Tensor wide = directions(500, 512);
  CHECK(std::abs(products(wide, plain).mean().item<double>() - (1 - 0.03454)) < 2e-3);
  const at::Tensor got = products(x, unbiased(3));
  const double error = got.std().item<double>() / std::sqrt(2000.0);
  // The projection is one draw of those that the expectation is over; four standard errors.
  CHECK(std::abs(got.mean().item<double>() - 1) < 4 * error);
  CHECK(error < 3e-3);
}

TEST_CASE("turboquant: the stored form is what is read, and a token does not see another") {
  at::manual_seed(3);
  KvTensorOptions grouped = turbo(4);
  grouped.group_size = 8;
  grouped.scale_dtype = ScaleDtype::kFloat16;
  KvTensorOptions whole = turbo(3);
  whole.group_scope = GroupScope::kToken;
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16, at::kDouble})
    for (const KvTensorOptions& options : {turbo(2), turbo(8), grouped, whole, unbiased(4)}) {
      at::Tensor x = at::randn({2, 3, 25, 16}, at::kDouble).to(dtype);
      x.select(2, 4).zero_();
      const KvTensorCodec codec = codec_of(options);
      const at::Tensor y = codec.fake(x);
      REQUIRE(y.scalar_type() == dtype);
      REQUIRE(at::equal(codec.decode(codec.encode(x)), y));
      REQUIRE(at::equal(y.select(2, 4), x.select(2, 4)));
      // A product with a matrix may sum one row in another order.
      const at::Tensor alone = codec.fake(x.narrow(2, 7, 1)), among = y.narrow(2, 7, 1);
      if (options.qjl) {
        REQUIRE(at::allclose(alone, among, 1e-2, 1e-2));
      } else {
        REQUIRE(at::equal(alone, among));
      }
    }
}

TEST_CASE("turboquant: stored bits are codes and lengths") {
  ModelConfig model;
  model.kv_heads = 2;
  model.head_dim = 64;
  KvTensorOptions options = turbo(4);
  options.scale_dtype = ScaleDtype::kFloat16;
  REQUIRE(KvTensorCodec::stored_bits(options, model, 32) == 4 + 16.0 / 64);
  options.group_size = 32;
  REQUIRE(KvTensorCodec::stored_bits(options, model, 32) == 4 + 16.0 / 32);
  KvTensorOptions wide = unbiased(3);
  REQUIRE(KvTensorCodec::stored_bits(wide, model, 32) == 3 + 2 * 32.0 / 64);
  wide.group_scope = GroupScope::kToken;
  REQUIRE(KvTensorCodec::stored_bits(wide, model, 32) == 3 + 2 * 32.0 / 128);
}

TEST_CASE("turboquant: options without meaning are refused by name") {
  ModelConfig model;
  model.heads = model.kv_heads = 2;
  model.head_dim = 16;
  const auto refused = [&](const KvTensorOptions& key, const std::string& part) {
    KvOptions options;
    options.key = key;
    REQUIRE_CONFIG_ERROR(check_kv_options(options, {.mode = ViewMode::kPast}, model), part);
  };
  KvTensorOptions options = turbo(4);
  options.qjl = true;
  refused(options, "expected norm_correction: false beside it");
  options = {.bits = 4, .norm_correction = false};
  refused(options, "parts of grid: normal");
  options = turbo(4);
  options.outliers = 0.01;
  refused(options, "divides each group by its own length");
  options = turbo(4);
  options.form = QuantForm::kSymmetric;
  refused(options, "expected bits alone");
  options = turbo(4);
  options.group_size = 5;
  refused(options, "grid: normal of the keys: group_size 5 does not divide 16 channels");
  options = turbo(4);
  options.axis = KvAxis::kTime;
  options.group_size = 4;
  refused(options, "grouped along time");
}
