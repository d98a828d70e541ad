#include "core/base/checkpoint/rope_config.h"

#include "tests/support/catch.h"

using namespace wkvq;
using nlohmann::json;

namespace {

RopeConfig read(const json& fields, int64_t head_dim = 64) {
  ModelConfig config;
  config.max_positions = 4096;
  config.head_dim = head_dim;
  return read_rope_config(JsonFields(fields, "config.json"), config);
}

void refused(const json& scaling, const std::string& part, int64_t head_dim = 64) {
  for (const char* key : {"rope_scaling", "rope_parameters"}) {
    const json fields = {{key, scaling}};
    REQUIRE_CONFIG_ERROR(read(fields, head_dim), std::string("config.json: ") + key + ": ");
    REQUIRE_CONFIG_ERROR(read(fields, head_dim), part);
  }
}

const json kLlama3 = {{"rope_type", "llama3"},
                      {"factor", 8.0},
                      {"low_freq_factor", 1.0},
                      {"high_freq_factor", 4.0},
                      {"original_max_position_embeddings", 8192}};

}  // namespace

TEST_CASE("rope: nothing given is plain RoPE, default says the same") {
  for (const json& fields :
       {json::object(), json{{"rope_scaling", nullptr}}, json{{"rope_parameters", nullptr}},
        json{{"rope_scaling", {{"type", "default"}}}},
        json{{"rope_parameters", {{"rope_type", "default"}}}},
        // transformers 5 leaves the type out, and moves other fields in here.
        json{{"rope_parameters", json::object()}},
        json{{"rope_parameters", {{"rope_theta", 10000.0}, {"partial_rotary_factor", 1.0}}}},
        json{{"rope_theta", nullptr}, {"rope_parameters", {{"rope_theta", 10000.0}}}},
        json{{"rope_parameters", {{"rope_type", nullptr}, {"mscale", nullptr}}}},
        json{{"rope_scaling", {{"type", "default"}}},
             {"rope_parameters", {{"type", "default"}}}}}) {
    INFO(fields.dump());
    const RopeConfig rope = read(fields);
    CHECK(rope.theta == 10000.0);
    CHECK(rope.scaling == RopeScaling::kNone);
    CHECK(rope.factor == 1.0);
  }
  // What a kind does not use is not read: published configurations carry leftovers.
  CHECK(read({{"rope_scaling", {{"type", "default"}, {"factor", "x"}}}}).factor == 1.0);
}

TEST_CASE("rope: old and new spelling of each kind") {
  for (const char* key : {"type", "rope_type"}) {
    const RopeConfig linear = read({{"rope_scaling", {{key, "linear"}, {"factor", 4}}}});
    CHECK(linear.scaling == RopeScaling::kLinear);
    CHECK(linear.factor == 4.0);
    const RopeConfig dynamic = read({{"rope_scaling", {{key, "dynamic"}, {"factor", 2.5}}}});
    CHECK(dynamic.scaling == RopeScaling::kDynamic);
    CHECK(dynamic.original_max_positions == 4096);
  }
  // Where both are there the newer counts.
  const json both = {{"type", "dynamic"}, {"rope_type", "linear"}, {"factor", 2.0}};
  CHECK(read({{"rope_scaling", both}}).scaling == RopeScaling::kLinear);
}

TEST_CASE("rope: llama3 reads all of its four numbers") {
  const RopeConfig rope = read({{"rope_theta", 500000.0}, {"rope_scaling", kLlama3}});
  CHECK(rope.scaling == RopeScaling::kLlama3);
  CHECK(rope.theta == 500000.0);
  CHECK(rope.factor == 8.0);
  CHECK(rope.low_freq_factor == 1.0);
  CHECK(rope.high_freq_factor == 4.0);
  CHECK(rope.original_max_positions == 8192);
}

TEST_CASE("rope: theta inside rope_parameters wins over theta outside") {
  const json parameters = {{"rope_type", "default"}, {"rope_theta", 7.0}};
  CHECK(read({{"rope_theta", 5.0}, {"rope_parameters", parameters}}).theta == 7.0);
  CHECK(read({{"rope_theta", 5.0}, {"rope_parameters", {{"type", "default"}}}}).theta == 5.0);
  for (const json& theta : {json(0.5), json(0), json(-1), json(1e16), json("1e4"), json(true)}) {
    REQUIRE_CONFIG_ERROR(read({{"rope_theta", theta}}),
                         fmt::format("'rope_theta' is {}; expected a number", theta.dump()));
  }
}

TEST_CASE("rope: every number of llama3 must be there and make sense") {
  for (const char* key :
       {"factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings"}) {
    json missing = kLlama3;
    missing.erase(key);
    refused(missing, fmt::format("field '{}' is missing", key));
    json zero = kLlama3;
    zero[key] = 0;
    refused(zero, fmt::format("field '{}' is 0; expected", key));
  }
  json equal = kLlama3;
  equal["high_freq_factor"] = 1.0;  // would divide by their difference
  refused(equal, "'high_freq_factor' is 1.0; expected more than low_freq_factor");
}

TEST_CASE("rope: kinds and keys that are not known are refused by name") {
  refused({{"type", "yarn"}, {"factor", 2.0}}, "is \"yarn\"; known: default, linear");
  refused({{"type", "Linear"}, {"factor", 2.0}}, "is \"Linear\"; known");
  refused({{"factor", 2.0}}, "field 'type' is missing");
  refused({{"rope_theta", 5.0}, {"partial_rotary_factor", 0.5}}, "'partial_rotary_factor' is 0.5");
  REQUIRE_CONFIG_ERROR(read({{"rope_scaling", {{"type", "linear"}, {"factor", 2}}},
                             {"rope_parameters", {{"type", "default"}}}}),
                       "rope_scaling is given too, and says otherwise");
  refused({{"type", 3}}, "field 'type' is 3; expected a string");
  refused({{"type", "linear"}, {"factor", 2.0}, {"mscale", 1.0}}, "'mscale' is 1.0; not supported");
  refused({{"type", "linear"}, {"factor", 0.99}}, "'factor' is 0.99; expected a number from 1");
  refused({{"type", "dynamic"}, {"factor", 2.0}}, "'rope_type' is absent; expected a head_dim", 2);
  refused({{"type", "dynamic"}, {"factor", 2.0}, {"original_max_position_embeddings", 2048}},
          "expects max_position_embeddings 4096");
}
