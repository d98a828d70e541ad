#include "core/base/checkpoint/weight_files.h"

#include <algorithm>

#include "tests/support/catch.h"
#include "tests/support/model_folder.h"

namespace wkvq {
namespace {

const char* const kIndex = "model.safetensors.index.json";

/// The message with which the folder's weights are refused.
std::string refusal(const test::ModelFolder& folder) {
  return test::error_of(
      [&] { WeightFiles(folder.path()).verify(read_model_config(folder.path())); });
}

bool contains(const std::string& text, const std::string& part) {
  UNSCOPED_INFO("message: " << text);
  return text.find(part) != std::string::npos;
}

void edit_index(const test::ModelFolder& folder, const std::string& tensor,
                const nlohmann::json& file) {
  nlohmann::json index = read_json_file(folder / kIndex);
  index["weight_map"][tensor] = file;
  test::write_file(folder / kIndex, index.dump());
}

}  // namespace

TEST_CASE("weights must be those that config.json describes") {
  test::ModelFolder folder("llama_bias");
  CHECK(refusal(folder).empty());
  SECTION("missing") {
    folder.rewrite([](auto& tensors) { tensors.pop_back(); });
    CHECK(contains(refusal(folder), "no tensor 'model."));
  }
  SECTION("wrong shape") {
    folder.rewrite([](auto& tensors) {
      for (TensorEntry& entry : tensors) {
        if (entry.name.ends_with("layers.1.mlp.up_proj.weight")) entry.shape = {32, 48};
      }
    });
    CHECK(contains(refusal(folder), "has shape [32, 48], expected [48, 32]"));
  }
  SECTION("integers") {
    folder.rewrite([](auto& tensors) { tensors[0].dtype = "I32"; });
    CHECK(contains(refusal(folder), "is I32; known: F64"));
  }
  SECTION("superfluous: a bias that the configuration denies") {
    folder.set("mlp_bias", false);
    CHECK(contains(refusal(folder), "mlp.down_proj.bias' is not part of family llama"));
  }
  SECTION("a decoder alone has no 'model.' in front of its names") {
    folder.rewrite([](auto& tensors) {
      for (TensorEntry& entry : tensors) {
        if (entry.name.starts_with("model.")) entry.name = entry.name.substr(6);
      }
    });
    CHECK(refusal(folder).empty());
  }
}

TEST_CASE("a folder without weights is refused") {
  const test::ModelFolder folder("llama_mha");
  std::filesystem::remove(folder / "model.safetensors");
  CHECK(contains(refusal(folder), "neither model.safetensors nor"));
}

TEST_CASE("hostile indexes are refused") {
  const test::ModelFolder folder("llama_sharded_bf16");
  CHECK(refusal(folder).empty());
  const std::string first = "model-00001-of-00002.safetensors";
  const std::string second = "model-00002-of-00002.safetensors";
  SECTION("absent shard") {
    std::filesystem::remove(folder / second);
    CHECK(contains(refusal(folder), second + ", which is not there"));
  }
  SECTION("outside the folder") {
    for (const char* name : {"../x.safetensors", "/etc/passwd", "", "..", "a/b.safetensors"}) {
      edit_index(folder, "model.norm.weight", name);
      CHECK(contains(refusal(folder), "of the same folder"));
    }
    edit_index(folder, "model.norm.weight", 7);
    CHECK(contains(refusal(folder), "is not a file name"));
  }
  SECTION("tensor in the wrong shard") {
    const nlohmann::json map = read_json_file(folder / kIndex)["weight_map"];
    const bool in_first = map["model.norm.weight"] == first;
    edit_index(folder, "model.norm.weight", in_first ? second : first);
    CHECK(contains(refusal(folder), "'model.norm.weight'"));
  }
  SECTION("tensor that no shard holds") {
    edit_index(folder, "model.extra", first);
    CHECK(contains(refusal(folder), "no tensor 'model.extra'"));
  }
  SECTION("no map") {
    test::write_file(folder / kIndex, "{\"metadata\": {}}");
    CHECK(contains(refusal(folder), "no weight_map"));
  }
}

TEST_CASE(
    "an index may name what no shard holds and leave out what one holds, where it changes "
    "nothing") {
  const test::ModelFolder folder("llama_sharded_bf16");
  const std::string first = "model-00001-of-00002.safetensors";
  const auto rewrite = [&](const auto& change) {
    const SafetensorsFile file(folder / first);
    std::vector<TensorEntry> tensors = file.tensors();
    change(tensors);
    write_safetensors(folder / first, tensors, file.metadata());
  };
  static const std::vector<float> zeros(16);
  const auto add = [&](const std::string& name) {
    rewrite([&](std::vector<TensorEntry>& tensors) {
      tensors.push_back({.name = name,
                         .dtype = "F32",
                         .shape = {16},
                         .data = reinterpret_cast<const std::byte*>(zeros.data()),
                         .bytes = 64});
    });
  };
  SECTION("buffers of older versions, in the index alone") {
    edit_index(folder, "model.layers.0.self_attn.rotary_emb.inv_freq", first);
    edit_index(folder, "model.layers.0.self_attn.masked_bias", first);
    CHECK(refusal(folder).empty());
  }
  SECTION("buffers of older versions, in a shard alone") {
    for (const char* name : {"model.layers.0.self_attn.rotary_emb.inv_freq",
                             "model.rotary_emb.cos_cached", "model.layers.1.self_attn.masked_bias"})
      add(name);
    CHECK(refusal(folder).empty());
  }
  SECTION("a tied head, in the index alone") {
    nlohmann::json index = read_json_file(folder / kIndex);
    const std::string shard = index["weight_map"]["lm_head.weight"];
    const SafetensorsFile file(folder / shard);
    std::vector<TensorEntry> tensors = file.tensors();
    std::erase_if(tensors, [](const TensorEntry& entry) { return entry.name == "lm_head.weight"; });
    write_safetensors(folder / "new.safetensors", tensors, file.metadata());
    std::filesystem::rename(folder / "new.safetensors", folder / shard);
    CHECK(contains(refusal(folder), "no tensor 'lm_head.weight', which the index puts here"));
    nlohmann::json config = read_json_file(folder / "config.json");
    config["tie_word_embeddings"] = true;
    test::write_file(folder / "config.json", config.dump());
    CHECK(refusal(folder).empty());
    WeightFiles files(folder.path());
    ModelConfig tied = read_model_config(folder.path());
    files.settle_head(tied);
    CHECK(tied.tie_embeddings);
  }
  SECTION("a weight that the index leaves out counts, one that nobody knows is refused") {
    nlohmann::json index = read_json_file(folder / kIndex);
    index["weight_map"].erase("model.norm.weight");
    test::write_file(folder / kIndex, index.dump());
    CHECK(refusal(folder).empty());
    add("model.layers.0.self_attn.q_proj.lora");
    CHECK(contains(refusal(folder), "q_proj.lora' is not part of family llama"));
  }
}

TEST_CASE("a head of other values than the embedding counts, whatever config.json says of tying") {
  test::ModelFolder folder("llama_mha");
  folder.set("tie_word_embeddings", true);
  const auto settled = [&] {
    WeightFiles files(folder.path());
    ModelConfig config = read_model_config(folder.path());
    files.settle_head(config);
    files.verify(config);
    return config.tie_embeddings;
  };
  const auto of = [](std::vector<TensorEntry>& tensors, const char* name) {
    return std::find_if(tensors.begin(), tensors.end(),
                        [&](const TensorEntry& entry) { return entry.name.ends_with(name); });
  };
  CHECK_FALSE(settled());
  SECTION("equal values are a tied head") {
    folder.rewrite([&](std::vector<TensorEntry>& tensors) {
      of(tensors, "lm_head.weight")->data = of(tensors, "embed_tokens.weight")->data;
    });
    CHECK(settled());
  }
  SECTION("a head stored alone is the embedding too") {
    folder.rewrite([&](std::vector<TensorEntry>& tensors) {
      tensors.erase(of(tensors, "embed_tokens.weight"));
    });
    CHECK(settled());
    folder.set("tie_word_embeddings", false);
    REQUIRE_CONFIG_ERROR(settled(), "no tensor 'model.embed_tokens.weight'");
  }
}

TEST_CASE("the fingerprint changes with data, names and configuration") {
  test::ModelFolder folder("llama_mha");
  const auto fingerprint = [&] { return WeightFiles(folder.path()).fingerprint(); };
  const std::string before = fingerprint();
  CHECK(before.size() == 32);
  CHECK(before == fingerprint());
  SECTION("one byte of data") {
    folder.rewrite([](auto& tensors) {
      static std::vector<std::byte> copy;
      copy.assign(tensors[1].data, tensors[1].data + tensors[1].bytes);
      copy.back() ^= std::byte{1};
      tensors[1].data = copy.data();
    });
    CHECK(before != fingerprint());
  }
  SECTION("configuration") {
    folder.set("rope_theta", 20000.0);
    CHECK(before != fingerprint());
  }
  SECTION("end tokens of generation_config.json, not how it samples") {
    test::write_file(folder / "generation_config.json", R"({"temperature": 0.6})");
    CHECK(before == fingerprint());
    test::write_file(folder / "generation_config.json", R"({"eos_token_id": [2, 3]})");
    CHECK(before != fingerprint());
  }
}

}  // namespace wkvq
