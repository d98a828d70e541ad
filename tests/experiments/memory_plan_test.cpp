#include "experiments/score/memory_plan.h"

#include "tests/support/catch.h"
#include "tests/support/npy.h"

using namespace wkvq;

namespace {

/// Four windows of 40 tokens of the embedded model: 6 blocks of hidden 256, 2 kv heads of 64,
/// vocabulary 4096, float16 in its file.
class Plan {
 public:
  Plan() {
    std::vector<std::vector<int32_t>> windows(4, std::vector<int32_t>(40));
    int32_t i = 0;
    for (auto& window : windows)
      for (int32_t& id : window) id = ++i * 7 % 4093;
    test::write_npy(folder_ / "text.npy", windows);
  }

  ProcessQuestion question(const std::string& method, const std::string& evaluate,
                           const std::string& model = "") {
    const std::string data =
        fmt::format("{{name: tokens, path: {}}}", (folder_ / "text.npy").string());
    std::string text = fmt::format(
        "model: {{path: {}{}}}\nmethod: {}\n"
        "calibration: {{dataset: {}, samples: 2, length: 40}}\nevaluate:\n  - {}\n",
        test::source("datasets/mini").string(), model, method, data, evaluate);
    for (size_t at = 0; (at = text.find("DATA", at)) != std::string::npos;)
      text.replace(at, 4, data);
    const RunConfig config = read_run_config(parse_yaml(text, "test"));
    return process_question(config, prepare_evaluations(config, session_), session_);
  }

 private:
  test::TemporaryFolder folder_;
  Session session_{folder_.path()};
};

const std::string kPerplexity = "{task: perplexity, dataset: DATA}";
const std::string kDivergence = "{task: perplexity, dataset: DATA, kl: true}";
const std::string kRtn = "{name: rtn, weight: {bits: 4}, kv: {bits: 4}}";

}  // namespace

TEST_CASE("memory plan: what an evaluation holds") {
  Plan plan;
  const ProcessQuestion asked = plan.question("{name: rtn}", kPerplexity);
  CHECK(asked.element_bytes == 4);
  CHECK(asked.stored_bytes == 2);
  CHECK(asked.resident);
  CHECK_FALSE(asked.rewrites);
  CHECK_FALSE(asked.keeps_blocks);
  CHECK(asked.packed_bits == 0);
  CHECK(asked.stream_tokens == 4 * 40);
  CHECK(asked.tokens_at_once == 4 * 40);  // one batch
  CHECK(asked.logit_values == 128 * 4096.0 * 2);
  CHECK(asked.cache_bytes == 0);
}

TEST_CASE("memory plan: KL divergence carries a second stream and scores two distributions") {
  Plan plan;
  const ProcessQuestion asked = plan.question(kRtn, kDivergence, ", blocks: streaming");
  CHECK_FALSE(asked.resident);
  CHECK(asked.rewrites);
  CHECK(asked.stream_tokens == 2 * 4 * 40);
  CHECK(asked.logit_values == 128 * 4096.0 * 4);
}

TEST_CASE("memory plan: chains of the calibration text") {
  Plan plan;
  // The states entering block 0 and those of the quantized chain.
  CHECK(plan.question("{name: gptq, weight: {bits: 4}}", kPerplexity).stream_tokens ==
        160 + 2 * 80);
  // Both chains: the states of all blocks are kept for later runs.
  const ProcessQuestion trained = plan.question("{name: wkvquant}", kPerplexity);
  CHECK(trained.stream_tokens == 160 + 8 * 80);
  CHECK(trained.method.following_blocks == 5);
  CHECK(trained.method.bytes > 0);
  // Nothing looks at the text.
  CHECK(plan.question(kRtn, kPerplexity).stream_tokens == 160);
}

TEST_CASE("memory plan: decoding keeps blocks and caches, packed ones as codes") {
  Plan plan;
  const ProcessQuestion one =
      plan.question(kRtn, "{task: perplexity, dataset: DATA, engine: cache}");
  CHECK(one.keeps_blocks);
  // 160 tokens in 6 blocks: keys and values of 128 in tensors of twice that, a byte a code, and
  // the objects of a token.
  CHECK(one.cache_bytes == 160 * 6 * 2 * (128 * (2 * 4 + 1) + 1000.0));
  const ProcessQuestion written = plan.question(
      "{name: rtn, weight: {bits: 4, group_size: 64}, kv: {bits: 4, group_size: 64}}",
      "{task: passkey, length: 150, items: 1, depths: [50], max_tokens: 4, storage: packed}");
  CHECK_FALSE(written.keeps_blocks);
  CHECK(written.packed_bits == 4 + (32 + 4) / 64.0);  // float32 scale, 4-bit zero point a group
  CHECK(written.written_values == 2 * 4096);
  CHECK(written.tokens_at_once == 0);
}

TEST_CASE("memory plan: the peak is what the byte model makes of it") {
  Plan plan;
  const ProcessQuestion asked = plan.question(kRtn, kPerplexity);
  const ModelConfig model = read_model_config(test::source("datasets/mini"));
  const ProcessBytes bytes = process_memory(model, asked);
  // 6 blocks of 256 (4 + 2 + 2 + 4) 64 + 3 256 704 + 512 elements, head and norm, in float32.
  CHECK(bytes.weights == 4 * (6 * 737'792.0 + 4097 * 256));
  CHECK(bytes.peak() > kLibraryBytes + bytes.weights);
}
