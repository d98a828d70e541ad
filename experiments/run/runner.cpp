#include "experiments/run/runner.h"

#include <fmt/format.h>

#include <chrono>

#include "core/base/error.h"
#include "core/base/files/hash.h"
#include "core/base/files/heap.h"
#include "core/base/run/activity.h"
#include "core/device/torch_headers.h"
#include "experiments/config/provenance.h"
#include "experiments/run/calibration_text.h"
#include "experiments/run/learned_files.h"
#include "experiments/run/work.h"
#include "experiments/score/cost.h"
#include "experiments/score/generation.h"
#include "experiments/score/memory_plan.h"
#include "experiments/score/score_check.h"
#include "experiments/score/trajectory.h"

namespace wkvq {

namespace {

class Stopwatch {
 public:
  double lap() {
    const auto now = std::chrono::steady_clock::now();
    const double seconds = std::chrono::duration<double>(now - last_).count();
    last_ = now;
    return seconds;
  }

 private:
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

void record_metrics(Recorder& recorder, const RunConfig& config, const PreparedEvaluation& prepared,
                    const Overlap* overlap, const std::vector<Metric>& metrics) {
  for (const Metric& metric : metrics) {
    const std::string name = config.metric_name(*prepared.entry, metric.metric);
    check_metric(name, metric);
    const std::string group = "/evaluation/" + name;
    recorder.attribute(group, "metric", metric.metric);
    recorder.attribute(group, "value", metric.value);
    recorder.attribute(group, "stderr", metric.stderr_);
    recorder.attribute(group, "n", metric.n);
    recorder.attribute(group, "kv_mode", prepared.kv_mode);
    recorder.attribute(group, "convention", metric.convention);
    recorder.attribute(group, "dataset", prepared.entry->label());
    recorder.attribute(group, "task", prepared.entry->task_name);
    recorder.attribute(group, "data_fingerprint", prepared.made->data_fingerprint);
    if (overlap) {
      recorder.attribute(group, "calibration_tokens", overlap->shared_tokens);
      recorder.attribute(group, "calibration_share", overlap->share());
    }
    for (const auto& [key, value] : metric.attributes) recorder.attribute(group, key, value);
    for (const auto& [key, column] : metric.rows) recorder.column(group, key, column);
  }
}

/// The streams of a run: one quantized per one-pass entry, one in full precision per reference not
/// yet known.
struct Streams {
  BlockPass pass;
  std::vector<int64_t> quantized;  ///< by entry: index into pass.streams, -1 for engine cache
  std::map<std::string, size_t> reference;  ///< by batches_key: index into pass.streams
};

bool packed(const PreparedEvaluation& one) {
  return one.entry->storage == Storage::kPacked;
}

/// The blocks that `one` decodes through.
const std::vector<QuantizedBlock>& blocks_of(const BlockPass& pass, const PreparedEvaluation& one) {
  return packed(one) ? pass.packed_blocks : pass.blocks;
}

Streams make_streams(const ModelSource& source, const std::vector<PreparedEvaluation>& prepared,
                     const Session& session) {
  Streams streams;
  for (const PreparedEvaluation& one : prepared) {
    const bool cache = one.entry->engine == Engine::kCache;
    (packed(one) ? streams.pass.keep_packed : streams.pass.keep_blocks) |= cache;
    streams.quantized.push_back(cache ? -1 : static_cast<int64_t>(streams.pass.streams.size()));
    if (!cache) streams.pass.streams.push_back(embed_stream(source, one, false));
    if (!one.needs_reference() || session.full_precision(one.batches_key) ||
        streams.reference.contains(one.batches_key))
      continue;
    streams.reference[one.batches_key] = streams.pass.streams.size();
    streams.pass.streams.push_back(embed_stream(source, one, true));
  }
  return streams;
}

std::vector<at::Tensor> hidden_of(const Stream& stream) {
  std::vector<at::Tensor> hidden;
  for (const StreamBatch& batch : stream.batches) hidden.push_back(batch.hidden);
  return hidden;
}

/// What the quantized model says of the requests of `one`, entry `i`.
std::vector<Scored> scores_of(ModelSource& source, const PreparedEvaluation& one,
                              const Streams& streams, size_t i, const Session& session,
                              const ShareTold& told) {
  std::vector<at::Tensor> reference;
  if (one.needs_reference()) {
    const auto index = streams.reference.find(one.batches_key);
    reference = index != streams.reference.end() ? hidden_of(streams.pass.streams[index->second])
                                                 : *session.full_precision(one.batches_key);
  }
  std::vector<Scored> scored;
  if (streams.quantized[i] >= 0) {
    const Stream& stream = streams.pass.streams[static_cast<size_t>(streams.quantized[i])];
    scored = score_evaluation(source.head(), one, hidden_of(stream), reference, told);
  } else {
    // Decoding takes nearly all of the time.
    const auto hidden = decode_stream(source, one, blocks_of(streams.pass, one), told);
    scored = score_evaluation(source.head(), one, hidden, reference);
  }
  check_scores(source, one, scored);
  return scored;
}

/// The same where the model writes text, too.
std::vector<Scored> answers_to(LoadedModel& model, const PreparedEvaluation& one,
                               const Streams& streams, size_t i, const Session& session,
                               const ShareTold& told) {
  if (!one.task().generates()) return scores_of(*model.source, one, streams, i, session, told);
  const std::vector<QuantizedBlock>& blocks = blocks_of(streams.pass, one);
  if (!one.task().follows()) return generate_answers(model, one, blocks, told);
  std::vector<Scored> scored = follow_texts(*model.source, one, blocks, told);
  check_scores(*model.source, one, scored);
  return scored;
}

}  // namespace

Fingerprints fingerprints_of(const RunConfig& config, Session& session) {
  Fingerprints fingerprints{.model = session.model(config.model).fingerprint};
  fingerprints.data = config.method->input_identities(fingerprints.model);
  if (config.calibration) {
    calibration_windows(config, session);
    fingerprints.data.push_back(session.corpus(config.model, config.calibration->data).fingerprint);
    if (!config.calibration->from.empty())
      fingerprints.data.push_back(
          run_with_parameters(config.calibration->from, fingerprints.model,
                              session.model(config.model).checkpoint->config().layers));
  }
  const Tokenizer* tokenizer = session.model(config.model).tokenizer.get();
  for (const PreparedEvaluation& one : prepare_evaluations(config, session)) {
    fingerprints.data.push_back(one.made->data_fingerprint);
    // What is written is scored as text.
    if (one.task().generates() && tokenizer) fingerprints.data.push_back(tokenizer->fingerprint());
  }
  return fingerprints;
}

void record_fingerprints(Recorder& recorder, const Fingerprints& fingerprints) {
  recorder.attribute("/", "model_fingerprint", fingerprints.model);
  Hasher data;
  for (const std::string& part : fingerprints.data) data.add_part(part);
  recorder.attribute("/", "data_fingerprint", data.hex());
}

std::shared_ptr<CalibrationChain> calibration_chain(const RunConfig& config, Session& session) {
  if (config.method->calibration_needs() == CalibrationNeeds::kNone) return nullptr;
  return session.calibration(config.model, calibration_windows(config, session));
}

void execute_run(const RunConfig& config, Session& session, Recorder& recorder,
                 const ShareTold& told, LearnedStore* learned) {
  const at::NoGradGuard no_grad;
  Stopwatch watch;
  LoadedModel& model = session.model(config.model);
  ModelSource& source = *model.source;
  const std::vector<PreparedEvaluation> prepared = prepare_evaluations(config, session);
  const std::vector<Overlap> overlaps = calibration_overlap(config, session, prepared);
  Streams streams = make_streams(source, prepared, session);
  BlockPass& pass = streams.pass;
  const std::shared_ptr<CalibrationChain> chain = calibration_chain(config, session);
  pass.calibration = chain.get();
  pass.learned = learned;
  const WorkDone work(estimated_work(config, session, prepared), !streams.reference.empty(), told);
  Stopwatch block_watch;
  pass.on_block = [&](int64_t done) {
    recorder.attribute(fmt::format("/cost/block_{:02}", done - 1), "seconds", block_watch.lap());
    work.blocks(static_cast<double>(done));
  };
  pass.on_share = [&](double done) { work.blocks(done); };
  record_calibration_text(config, session, recorder);
  recorder.attribute("/cost", "seconds_prepare", watch.lap());
  run_blocks(source, *config.method, pass, recorder);
  recorder.attribute("/cost", "seconds_blocks", watch.lap());

  for (const auto& [key, index] : streams.reference)
    session.store_full_precision(key, hidden_of(pass.streams[index]));
  for (size_t i = 0; i < prepared.size(); ++i) {
    const PreparedEvaluation& one = prepared[i];
    const auto tell = [&](double share) { work.evaluation(i, share); };
    tell_activity(one.where());
    const std::vector<Scored> scored = answers_to(model, one, streams, i, session, tell);
    record_metrics(recorder, config, one, overlaps.empty() ? nullptr : &overlaps[i],
                   one.task().score(scored));
    release_freed_memory();
    tell(1);
  }
  recorder.attribute("/cost", "seconds_evaluation", watch.lap());
  recorder.attribute(
      "/cost", "planned_bytes_host",
      process_memory(source.config(), process_question(config, prepared, session)).peak());
  record_cost(recorder, config, *model.checkpoint);
  record_provenance(recorder, source);
}

}  // namespace wkvq
