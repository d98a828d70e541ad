#include "experiments/sensitivity/sensitivity.h"

#include <fmt/format.h>

#include <utility>

#include "core/attention/masked_attention.h"
#include "core/calibrate/statistics.h"
#include "core/calibrate/stream_check.h"
#include "core/device/batches.h"
#include "core/device/torch_headers.h"
#include "datasets/tasks/common/statistics.h"
#include "experiments/config/provenance.h"
#include "experiments/run/runner.h"
#include "experiments/run/silent_recorder.h"
#include "experiments/score/cost.h"
#include "experiments/score/evaluation.h"
#include "experiments/score/score_check.h"

namespace wkvq {

namespace {

// Tokens of the first window that errors of attention look at; they need a square of it per head.
constexpr int64_t kErrorTokens = 128;

struct Probe {
  const ProbeSetting* setting;
  int64_t layer;
  AttentionErrors errors;
  StoredBits stored;
  std::vector<at::Tensor> hidden;  ///< by batch
};

/// Values a window, one a scored token.
using Windows = std::vector<std::vector<double>>;

Windows values_of(const std::vector<Scored>& scored, std::vector<float> Scored::*field) {
  Windows windows;
  for (const Scored& one : scored) windows.emplace_back((one.*field).begin(), (one.*field).end());
  return windows;
}

/// a - b token by token: their mean has the standard error of the pairs.
Windows difference(Windows a, const Windows& b) {
  for (size_t i = 0; i < a.size(); ++i)
    for (size_t j = 0; j < a[i].size(); ++j) a[i][j] -= b[i][j];
  return a;
}

/// The hidden states of the full-precision model on their way, and of all probes.
class ProbePass {
 public:
  ProbePass(ModelSource& source, const PreparedEvaluation& prepared, CalibrationChain* calibration)
      : source_(source), prepared_(prepared), calibration_(calibration) {
    for (const StreamBatch& batch : embed_stream(source, prepared, true).batches)
      full_.push_back(batch.hidden);
    if (calibration_) inputs_ = calibration_->entering(0);
  }

  /// Carries everything through block `layer` and lets a probe of each setting begin there.
  void through_block(int64_t layer, const std::vector<ProbeSetting>& settings,
                     const std::function<void()>& on_stream) {
    const BlockWeights weights = source_.block(layer);
    for (Probe& probe : probes) {
      carry(source_, layer, weights, plain_attention, probe.hidden);
      check(layer, probe.hidden, &probe);
      on_stream();
    }
    for (const ProbeSetting& setting : settings) {
      probes.push_back(fork(layer, weights, setting));
      on_stream();
    }
    carry(source_, layer, weights, plain_attention, full_);
    check(layer, full_, nullptr);
    on_stream();
    if (!calibration_) return;
    // Now, while the source still holds the block. A method that looked ahead may have let go of
    // these states.
    if (calibration_->reaches(layer + 1)) {
      inputs_ = calibration_->entering(layer + 1);
    } else {
      carry(source_, layer, weights, plain_attention, inputs_);
    }
    calibration_->release_before(layer + 1);
  }

  const std::vector<at::Tensor>& full() const { return full_; }
  std::vector<Probe> probes;  ///< by block, then by setting

 private:
  Probe fork(int64_t layer, const BlockWeights& weights, const ProbeSetting& setting) {
    Method& method = *setting.config.method;
    QuantizedBlock block{weights, {}};
    BlockContext context{.source = source_,
                         .model = source_.config(),
                         .rope = source_.rope(),
                         .layer = layer,
                         .block = block,
                         .full = calibration_,
                         .quantized = calibration_ ? &inputs_ : nullptr,
                         .learned = nullptr};
    SilentRecorder silent;  // what methods say of a block would have one place for all settings
    method.calibrate(context, silent);
    Probe probe{
        .setting = &setting,
        .layer = layer,
        .errors = errors_of(weights, block),
        .stored = stored_bits(method, layer, source_.config(), compute_bits(setting.config)),
        .hidden = std::vector<at::Tensor>(full_.size())};
    for_each_batch(full_.size(), source_.options().device, [&](size_t i) {
      probe.hidden[i] =
          forward_block(source_.config(), layer, block.weights, source_.rope(), full_[i], 0,
                        attention_of(block.codec, prepared_.batches[i].view));
    });
    check_quantized_block(layer, weights, block);
    check(layer, probe.hidden, &probe);
    return probe;
  }

  /// NotFiniteError where states that leave block `layer` are not finite; of `probe`, or of the
  /// full-precision model.
  void check(int64_t layer, const std::vector<at::Tensor>& hidden, const Probe* probe) const {
    for (size_t i = 0; i < hidden.size(); ++i) {
      const auto place = not_finite_hidden(hidden[i]);
      if (!place) continue;
      const RequestBatch& batch = prepared_.batches[i];
      Stream stream{.full_precision = !probe, .name = prepared_.where()};
      if (probe)
        stream.name +=
            fmt::format(", {} of block {} at {} bits{}{}", probe->setting->part, probe->layer,
                        probe->setting->bits, probe->setting->format.empty() ? "" : " of ",
                        probe->setting->format);
      fail_stream(source_, layer, stream,
                  {hidden[i], batch.view, batch.packed, batch.tokens, batch.requests}, *place);
    }
  }

  AttentionErrors errors_of(const BlockWeights& weights, const QuantizedBlock& block) const {
    const at::Tensor window = full_.front().narrow(0, 0, 1);
    const at::Tensor sample = window.narrow(1, 0, std::min(kErrorTokens, window.size(1)));
    const auto inputs = [&](const BlockWeights& of) {
      return attention_inputs(source_.config(), of, source_.rope(), sample, 0);
    };
    return attention_errors(inputs(weights), inputs(block.weights), block.codec);
  }

  ModelSource& source_;
  const PreparedEvaluation& prepared_;
  CalibrationChain* calibration_;
  std::vector<at::Tensor> full_, inputs_;  // of the evaluated and of the calibration text
};

/// The columns of /sensitivity, one row a probe.
struct Table {
  std::vector<int64_t> block, bits, elements;
  std::vector<std::string> part, format;
  std::vector<double> increase, error, kl, logit_error, output_error, stored;

  void add(const Probe& probe, const ModelConfig& model, const ClusteredMean& nll) {
    const ProbeSetting& setting = *probe.setting;
    const bool weights = setting.part == "weights";
    block.push_back(probe.layer);
    part.push_back(setting.part);
    bits.push_back(setting.bits);
    format.push_back(setting.format);
    increase.push_back(nll.mean);
    error.push_back(nll.standard_error);
    logit_error.push_back(probe.errors.logits);
    output_error.push_back(probe.errors.output);
    stored.push_back(weights                  ? probe.stored.weight
                     : setting.part == "keys" ? probe.stored.key
                                              : probe.stored.value);
    elements.push_back(weights ? weight_elements(model) : model.kv_heads * model.head_dim);
  }

  void write(Recorder& recorder) const {
    const std::string group = "/sensitivity";
    recorder.column(group, "block", block);
    recorder.column(group, "part", part);
    recorder.column(group, "bits", bits);
    if (std::ranges::any_of(format, [](const std::string& name) { return !name.empty(); }))
      recorder.column(group, "format", format);
    recorder.column(group, "nll_increase", increase);
    recorder.column(group, "stderr", error);
    if (!kl.empty()) recorder.column(group, "kl", kl);
    recorder.column(group, "logit_error", logit_error);
    recorder.column(group, "output_error", output_error);
    recorder.column(group, "stored_bits", stored);
    recorder.column(group, "elements", elements);
  }
};

void record_baseline(Recorder& recorder, const RunConfig& config,
                     const PreparedEvaluation& prepared, const std::vector<Scored>& scored) {
  const ClusteredMean nll = clustered_mean(values_of(scored, &Scored::nll));
  const std::string group = "/sensitivity";
  recorder.attribute(group, "nll", nll.mean);
  recorder.attribute(group, "stderr", nll.standard_error);
  recorder.attribute(group, "n", nll.n);
  recorder.attribute(group, "windows", static_cast<int64_t>(scored.size()));
  recorder.attribute(group, "kv_mode", config.kv_mode(*prepared.entry));
  recorder.attribute(group, "convention", prepared.task().score(scored).front().convention);
  recorder.attribute(group, "dataset", prepared.entry->label());
  recorder.attribute(group, "data_fingerprint", prepared.made->data_fingerprint);
}

}  // namespace

void execute_sensitivity(const SensitivityPlan& plan, Session& session, Recorder& recorder,
                         const std::function<void(int64_t, int64_t)>& on_step) {
  const at::NoGradGuard no_grad;
  ModelSource& source = *session.model(plan.run.model).source;
  const ModelConfig& model = source.config();
  const std::vector<PreparedEvaluation> evaluations = prepare_evaluations(plan.run, session);
  const PreparedEvaluation& prepared = evaluations.front();
  std::shared_ptr<CalibrationChain> chain;
  for (const ProbeSetting& setting : plan.settings)
    if (!chain) chain = calibration_chain(setting.config, session);
  const auto settings = static_cast<int64_t>(plan.settings.size());
  const int64_t total =
      settings * model.layers * (model.layers + 1) / 2 + model.layers + settings * model.layers + 1;
  int64_t done = 0;
  const auto step = [&] { on_step(++done, total); };
  ProbePass pass(source, prepared, chain.get());
  for (int64_t layer = 0; layer < model.layers; ++layer)
    pass.through_block(layer, plan.settings, step);

  const Head head = source.head();
  const bool divergence = prepared.needs_reference();
  const std::vector<at::Tensor> reference = divergence ? pass.full() : std::vector<at::Tensor>();
  const std::vector<Scored> exact = score_evaluation(head, prepared, pass.full(), reference);
  check_scores(source, prepared, exact);
  record_baseline(recorder, plan.run, prepared, exact);
  step();
  const Windows baseline = values_of(exact, &Scored::nll);
  Table table;
  for (Probe& probe : pass.probes) {
    const auto scored =
        score_evaluation(head, prepared, std::exchange(probe.hidden, {}), reference);
    check_scores(source, prepared, scored);
    table.add(probe, model, clustered_mean(difference(values_of(scored, &Scored::nll), baseline)));
    if (divergence) table.kl.push_back(clustered_mean(values_of(scored, &Scored::kl)).mean);
    step();
  }
  table.write(recorder);
  record_provenance(recorder, source);
}

}  // namespace wkvq
