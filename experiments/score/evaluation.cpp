#include "experiments/score/evaluation.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <numeric>
#include <thread>

#include "core/base/files/hash.h"
#include "core/calibrate/stream_check.h"
#include "core/device/batches.h"
#include "core/device/torch_headers.h"
#include "core/generate/decoder.h"
#include "experiments/score/memory_plan.h"
#include "experiments/score/scoring.h"
#include "experiments/score/storage.h"
#include "experiments/score/view_check.h"

namespace wkvq {

namespace {

/// What the full-precision hidden states depend on beside the model.
std::string key_of(const PreparedEvaluation& prepared) {
  Hasher hasher;
  for (const RequestBatch& batch : prepared.batches) {
    const std::string shape = fmt::format("{}x{};", batch.tokens.size(0), batch.tokens.size(1));
    hasher.add(shape).add(batch.tokens.const_data_ptr<int64_t>(), batch.tokens.nbytes());
    if (!batch.packed) continue;
    for (const PackedRow::Segment& segment : batch.packed->segments)
      hasher.add(fmt::format("{}-{};", segment.length, segment.trunk));
  }
  return hasher.hex();
}

/// Items are packed where one pass can do it: not where the cache takes equal lengths, nor where
/// the rotary embedding of a token depends on how many others there are.
bool may_pack(const EvaluationEntry& entry, const std::vector<Request>& requests,
              const LoadedModel& model) {
  return entry.engine == Engine::kOnePass && model.source->rope().fixed_frequencies() &&
         !requests.empty() && requests.front().item >= 0;
}

}  // namespace

std::string PreparedEvaluation::where() const {
  return fmt::format("{} on {}, KV mode {}", entry->task_name, entry->label(), kv_mode);
}

std::vector<PreparedEvaluation> prepare_evaluations(const RunConfig& config, Session& session) {
  LoadedModel& model = session.model(config.model);
  const ModelConfig& architecture = model.checkpoint->config();
  config.method->check(architecture);
  std::vector<PreparedEvaluation> prepared;
  for (const EvaluationEntry& entry : config.evaluations) {
    const KvViewOptions& view = config.view_of(entry);
    for (int64_t layer = 0; layer < architecture.layers; ++layer)
      check_kv_options(config.method->kv_of(layer, architecture), view, architecture);
    if (entry.storage == Storage::kPacked) check_packed_storage(config, view, architecture);
    const PreparedTask& made = session.requests(config.model, entry);
    PreparedEvaluation one{
        .entry = &entry, .kv_mode = config.kv_mode(entry), .view = view, .made = &made};
    check_view(config, one);
    const SourceOptions& source = model.source->options();
    // Where text is written, prompts go one by one; nothing is scored.
    if (one.task().generates()) {
      prepared.push_back(std::move(one));
      continue;
    }
    one.batches =
        make_batches(made.requests, {.view = view,
                                     .context_prefill = entry.context_prefill,
                                     .equal_lengths = !model.source->rope().fixed_frequencies(),
                                     .pack = may_pack(entry, made.requests, model),
                                     .device = source.device});
    one.batches_key = fmt::format("{}|{}|{}|{}", model.fingerprint, at::toString(source.dtype),
                                  source.device.str(), key_of(one));
    prepared.push_back(std::move(one));
  }
  return prepared;
}

double estimated_bytes(const RunConfig& config, Session& session) {
  const ModelConfig& model = session.model(config.model).checkpoint->config();
  return process_memory(model,
                        process_question(config, prepare_evaluations(config, session), session))
      .peak();
}

Stream embed_stream(const ModelSource& source, const PreparedEvaluation& prepared,
                    bool full_precision) {
  Stream stream{.full_precision = full_precision, .name = prepared.where()};
  for (const RequestBatch& batch : prepared.batches)
    stream.batches.push_back({source.rest(source.embed(batch.tokens)), batch.view, batch.packed,
                              batch.tokens, batch.requests});
  return stream;
}

namespace {

/// Throws where the last step of `decoder`, from position `start` on, left a block with states that
/// are not finite.
void check_step(ModelSource& source, const PreparedEvaluation& prepared, const RequestBatch& batch,
                const Decoder& decoder, int64_t start) {
  auto found = decoder.not_finite();
  if (!found) return;
  found->place.column += start;
  const StreamBatch at{.tokens = batch.tokens, .sequences = batch.requests};
  fail_stream(source, found->block, {.name = prepared.where()}, at, found->place);
}

}  // namespace

std::vector<at::Tensor> decode_stream(ModelSource& source, const PreparedEvaluation& prepared,
                                      const std::vector<QuantizedBlock>& blocks,
                                      const ShareTold& told) {
  std::vector<at::Tensor> hidden;
  int64_t done = 0, all = 0;
  for (const RequestBatch& batch : prepared.batches) all += batch.tokens.numel();
  for (const RequestBatch& batch : prepared.batches) {
    Decoder decoder(source, blocks, batch.view, prepared.entry->storage);
    std::vector<at::Tensor> steps;
    const int64_t length = batch.tokens.size(1);
    for (int64_t t = 0; t < length;) {
      const int64_t n = t == 0 ? std::clamp<int64_t>(batch.view.prefill, 1, length) : 1;
      steps.push_back(decoder.step(batch.tokens.narrow(1, t, n)));
      check_step(source, prepared, batch, decoder, t);
      t += n;
      done += n * batch.tokens.size(0);
      if (told) told(static_cast<double>(done) / static_cast<double>(all));
    }
    hidden.push_back(at::cat(steps, 1));
  }
  return hidden;
}

std::vector<Scored> score_evaluation(const Head& head, const PreparedEvaluation& prepared,
                                     const std::vector<at::Tensor>& hidden,
                                     const std::vector<at::Tensor>& reference,
                                     const ShareTold& told) {
  std::vector<Scored> scored(prepared.requests().size());
  std::atomic<size_t> done = 0;
  const auto caller = std::this_thread::get_id();
  for_each_batch(prepared.batches.size(), head.device(), [&](size_t i) {
    const RequestBatch& batch = prepared.batches[i];
    std::vector<Scored> answers = score_batch(
        head, prepared.requests(), batch, hidden[i],
        {reference.empty() ? at::Tensor() : reference[i], prepared.task().needs_greedy()});
    for (size_t k = 0; k < answers.size(); ++k) scored[batch.requests[k]] = std::move(answers[k]);
    const size_t now = ++done;
    if (told && std::this_thread::get_id() == caller)
      told(static_cast<double>(now) / static_cast<double>(prepared.batches.size()));
  });
  return scored;
}

}  // namespace wkvq
