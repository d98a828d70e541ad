#include "core/base/checkpoint/gguf_config.h"

#include "core/base/checkpoint/inspect.h"
#include "core/base/checkpoint/weight_files.h"
#include "tests/support/catch.h"
#include "tests/support/gguf_bytes.h"

namespace wkvq {
namespace {

using test::GgufBytes;

std::filesystem::path golden(const std::string& name) {
  const bool parts = name == "tinyllama_tied";
  return test::source("tests/golden/gguf/" + name + (parts ? "-00001-of-00002.gguf" : ".gguf"));
}

/// The metadata of a llama of one block and 2 heads of 4 channels.
GgufBytes small_model() {
  GgufBytes file;
  file.word("general.architecture", "llama")
      .integer("llama.context_length", 64)
      .integer("llama.embedding_length", 8)
      .integer("llama.block_count", 1)
      .integer("llama.feed_forward_length", 16)
      .integer("llama.attention.head_count", 2)
      .number("llama.attention.layer_norm_rms_epsilon", 1e-5F)
      .tensor("token_embd.weight", {8, 10}, 0, std::string(320, '\0'));
  return file;
}

ModelConfig config_of(const GgufBytes& file) {
  const test::TemporaryFolder folder;
  test::write_file(folder / "x.gguf", file.bytes());
  return read_model_config(folder / "x.gguf");
}

std::string refusal(const GgufBytes& file) {
  return test::error_of([&] { config_of(file); });
}

bool contains(const std::string& text, const std::string& part) {
  UNSCOPED_INFO("message: " << text);
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("GGUF models describe the architecture of the folders they were made of") {
  const std::string name = GENERATE(as<std::string>(), "llama_llama3", "llama_linear", "llama_bias",
                                    "tinyllama_tied", "qwen2_tied", "qwen3");
  INFO(name);
  const ModelConfig folder = read_model_config(test::source("tests/golden/models") / name);
  const ModelConfig file = read_model_config(golden(name));
  CHECK(file.family == folder.family);
  CHECK(file.hidden_size == folder.hidden_size);
  CHECK(file.intermediate_size == folder.intermediate_size);
  CHECK(file.layers == folder.layers);
  CHECK(file.heads == folder.heads);
  CHECK(file.kv_heads == folder.kv_heads);
  CHECK(file.head_dim == folder.head_dim);
  CHECK(file.vocab_size == folder.vocab_size);
  CHECK(file.max_positions == folder.max_positions);
  CHECK(file.norm_eps == static_cast<double>(static_cast<float>(folder.norm_eps)));
  CHECK(file.rope.theta == folder.rope.theta);
  CHECK(file.tie_embeddings == folder.tie_embeddings);
  CHECK(file.qkv_bias == folder.qkv_bias);
  CHECK(file.output_bias == folder.output_bias);
  CHECK(file.mlp_bias == folder.mlp_bias);
  CHECK(file.qk_norm == folder.qk_norm);
  CHECK(file.bos_token == folder.bos_token);
  WeightFiles(golden(name)).verify(file);
  if (name == "llama_linear") {
    CHECK(file.rope.scaling == RopeScaling::kLinear);
    CHECK(file.rope.factor == 4.0);
  }
  if (name == "llama_llama3") {
    // The slowest channels turn an eighth as fast. The fastest, whose wave is 2 pi tokens long,
    // lies between 16 / 4 and 16 / 1: a third of 16 / (2 pi) - 1 of the way from an eighth to all.
    const double way = (16 / (2 * 3.14159265358979) - 1) / 3;
    REQUIRE(file.rope.factors.size() == 8);
    CHECK(file.rope.factors.front() == Approx(1 / ((1 - way) / 8 + way)));
    CHECK(file.rope.factors.back() == 8.0F);
  }
}

TEST_CASE("GGUF configuration: defaults and scaling by hand") {
  const ModelConfig config = config_of(small_model());
  CHECK(config.kv_heads == 2);
  CHECK(config.head_dim == 4);
  CHECK(config.vocab_size == 10);
  CHECK(config.rope.theta == 10000.0);
  CHECK(config.rope.scaling == RopeScaling::kNone);
  CHECK(config.tie_embeddings);
  CHECK(config.bos_token == -1);
  const ModelConfig old = config_of(small_model().number("llama.rope.scale_linear", 2.0F));
  CHECK(old.rope.scaling == RopeScaling::kLinear);
  CHECK(old.rope.factor == 2.0);
  const ModelConfig none = config_of(small_model()
                                         .word("llama.rope.scaling.type", "none")
                                         .number("llama.rope.scaling.factor", 2.0F));
  CHECK(none.rope.scaling == RopeScaling::kNone);
  CHECK(config_of(small_model().number("llama.rope.scaling.factor", 0.0F)).rope.scaling ==
        RopeScaling::kNone);
  CHECK(config_of(small_model().integer("llama.attention.sliding_window", 64)).sliding_window == 0);
  CHECK(config_of(small_model().integer("tokenizer.ggml.bos_token_id", UINT32_MAX)).bos_token ==
        -1);
}

TEST_CASE("GGUF configuration: what may change the computation is refused by its key") {
  const std::string arch = "llama.";
  CHECK(contains(refusal(small_model().number(arch + "logit_scale", 2.0F)),
                 "'llama.logit_scale' is 2; this key is not known"));
  CHECK(contains(refusal(small_model().integer(arch + "expert_count", 8)), "mixtures of experts"));
  CHECK(refusal(small_model().integer(arch + "expert_count", 0)).empty());
  CHECK(contains(refusal(small_model().word(arch + "rope.scaling.type", "yarn")),
                 "is 'yarn'; known: none, linear"));
  CHECK(contains(refusal(small_model().integer(arch + "rope.dimension_count", 2)),
                 "only that of keys, 4"));
  CHECK(contains(refusal(small_model().integer(arch + "attention.value_length", 8)),
                 "only that of keys, 4"));
  CHECK(contains(refusal(small_model().integer(arch + "attention.sliding_window", 16)),
                 "windows below context_length"));
  CHECK(contains(refusal(small_model().flag(arch + "attention.causal", false)), "only causal"));
  CHECK(contains(refusal(small_model().number(arch + "rope.scaling.attn_factor", 2.0F)),
                 "only 1 is supported"));
  CHECK(contains(refusal(small_model().integer(arch + "attention.head_count_kv", 3)),
                 "num_key_value_heads"));
  CHECK(contains(refusal(small_model().integer("tokenizer.ggml.eos_token_id", 10)),
                 "below vocab_size 10"));
  CHECK(contains(refusal(GgufBytes().word("general.architecture", "gemma3")),
                 "is 'gemma3'; known: llama, qwen2, qwen3"));
  CHECK(contains(refusal(GgufBytes().integer("x", 1)), "no metadata 'general.architecture'"));
  CHECK(
      contains(refusal(GgufBytes().word("general.architecture", "llama")), "no metadata 'llama."));
  GgufBytes factors = small_model();
  factors.tensor("rope_freqs.weight", {3}, 0, std::string(12, '\0'));
  CHECK(contains(refusal(factors), "expected F32 [2]"));
  factors = small_model();
  factors.tensor("rope_freqs.weight", {2}, 0, std::string(8, '\0'));
  CHECK(contains(refusal(factors), "holds 0, expected"));
}

TEST_CASE("GGUF names of tensors and which rows come in pairs") {
  CHECK(gguf_place("token_embd.weight", "llama").name == "model.embed_tokens.weight");
  CHECK(gguf_place("output.weight", "llama").name == "lm_head.weight");
  CHECK(gguf_place("blk.12.ffn_down.weight", "qwen2").name ==
        "model.layers.12.mlp.down_proj.weight");
  CHECK(gguf_place("blk.0.attn_q.bias", "llama").name == "model.layers.0.self_attn.q_proj.bias");
  CHECK(gguf_place("blk.0.attn_q.bias", "llama").paired_rows);
  CHECK(gguf_place("blk.0.attn_k.weight", "llama").paired_rows);
  CHECK_FALSE(gguf_place("blk.0.attn_v.weight", "llama").paired_rows);
  CHECK_FALSE(gguf_place("blk.0.attn_q.weight", "qwen2").paired_rows);
  for (const char* other : {"blk.01.attn_q.weight", "blk.x.attn_q.weight", "blk..attn_q.weight",
                            "attn_q.weight", "blk.0.attn_q.scale", "blk.0.ffn_gate_exps.weight"}) {
    CHECK(gguf_place(other, "llama").name == other);
  }
}

TEST_CASE("GGUF weights must be those that the metadata describe") {
  const test::TemporaryFolder folder;
  test::write_file(folder / "x.gguf", small_model().bytes());
  const ModelConfig config = read_model_config(folder / "x.gguf");
  REQUIRE_CONFIG_ERROR(WeightFiles(folder / "x.gguf").verify(config), "no tensor 'model.norm");
  // A folder's own tensor beside: what a file of architecture llama may not hold.
  const WeightFiles files(golden("llama_bias"));
  ModelConfig without = read_model_config(golden("llama_bias"));
  without.mlp_bias = false;
  REQUIRE_CONFIG_ERROR(files.verify(without), "'blk.0.ffn_down.bias' is not part of family llama");
  CHECK(WeightFiles(golden("llama_linear")).dtypes() == "BF16, F32");
}

TEST_CASE("GGUF fingerprints cover metadata, data and every part") {
  const test::TemporaryFolder folder;
  const auto fingerprint = [&](const GgufBytes& file) {
    test::write_file(folder / "x.gguf", file.bytes());
    return WeightFiles(folder / "x.gguf").fingerprint();
  };
  const std::string first = fingerprint(small_model());
  CHECK(first.size() == 32);
  CHECK(fingerprint(small_model()) == first);
  CHECK(fingerprint(small_model().integer("general.file_type", 0)) != first);
  GgufBytes other = small_model();
  other.tensor("output_norm.weight", {8}, 0, std::string(32, '\0'));
  CHECK(fingerprint(other) != first);
  for (const char* part :
       {"tinyllama_tied-00001-of-00002.gguf", "tinyllama_tied-00002-of-00002.gguf"}) {
    std::filesystem::copy(test::source("tests/golden/gguf") / part, folder / part);
  }
  const std::filesystem::path one = folder / "tinyllama_tied-00001-of-00002.gguf";
  const std::string whole = WeightFiles(one).fingerprint();
  std::fstream second(folder / "tinyllama_tied-00002-of-00002.gguf",
                      std::ios::in | std::ios::out | std::ios::binary);
  second.seekp(-200, std::ios::end);
  second.put('\x3f');
  second.close();
  CHECK(WeightFiles(one).fingerprint() != whole);
}

TEST_CASE("wkvq inspect shows a GGUF file as it shows a folder") {
  const std::string text = inspect_text(golden("llama_llama3"), {});
  CHECK(contains(text, "family       llama\n"));
  CHECK(contains(text, "theta 500000, factors by channel"));
  CHECK(contains(text, "F16, F32"));
  const std::filesystem::path real =
      test::shared("data/models/smollm2-135m/SmolLM2-135M-Instruct.Q4_1.gguf");
  if (real.empty()) return;
  const std::string model = inspect_text(real, {});
  CHECK(contains(model, "parameters   134515008\n"));
  CHECK(contains(model, "on disk      98.362 MB, F32, Q4_1, Q8_0"));
}

}  // namespace wkvq
