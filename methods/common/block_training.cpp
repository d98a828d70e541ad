#include "methods/common/block_training.h"

#include <fmt/format.h>
#include <torch/optim/adamw.h>

#include <cmath>

#include "core/attention/masked_attention.h"
#include "core/base/run/activity.h"
#include "core/calibrate/pipeline.h"
#include "core/device/finite.h"
#include "core/device/torch_headers.h"

namespace wkvq {

namespace {

constexpr int kRetries = 3;

at::Tensor distance(const LossOptions& options, const at::Tensor& x, const at::Tensor& target) {
  switch (options.kind) {
    case LossKind::kMae:
      return at::l1_loss(x, target);
    case LossKind::kHuber:
      return at::huber_loss(x, target, at::Reduction::Mean, options.huber_delta);
    case LossKind::kMse:
      break;
  }
  return at::mse_loss(x, target);
}

/// Frozen blocks after the trained one, and what the loss compares.
class Objective {
 public:
  Objective(const BlockContext& context, const LossOptions& loss, const KvViewOptions& view)
      : context_(context), loss_(loss), view_(view) {
    const int64_t following =
        std::min(loss.following_blocks, context.model.layers - 1 - context.layer);
    for (int64_t i = 1; i <= following; ++i)
      following_.push_back(context.source.block(context.layer + i));
    inputs_ = samples(context.inputs_quantized());
    const int64_t target = context.layer + 1 + following;
    if (loss.local_weight > 0) local_ = samples(context.full->entering(context.layer + 1));
    // A local term needs the states of the blocks between again.
    targets_ =
        samples(local_.empty() ? context.full->advance_to(target) : context.full->entering(target));
    if (!loss.auxiliary) return;
    const at::NoGradGuard no_grad;
    for (const at::Tensor& input : inputs_)
      same_input_.push_back(forward(0, context.block.weights, input, plain_attention));
  }

  int64_t count() const { return static_cast<int64_t>(inputs_.size()); }

  /// Of the samples `chosen`, as one batch.
  at::Tensor loss(const QuantizedBlock& block, const std::vector<int64_t>& chosen) const {
    const at::Tensor input = stacked(inputs_, chosen);
    const at::Tensor own = forward(0, block.weights, input, attention_of(block.codec, view_));
    at::Tensor x = own;
    for (size_t i = 0; i < following_.size(); ++i)
      x = forward(static_cast<int64_t>(i) + 1, following_[i], x, plain_attention);
    at::Tensor sum = distance(loss_, x, stacked(targets_, chosen));
    if (!local_.empty())
      sum = sum + loss_.local_weight * distance(loss_, own, stacked(local_, chosen));
    if (!same_input_.empty()) sum = sum + distance(loss_, own, stacked(same_input_, chosen));
    return sum;
  }

 private:
  static std::vector<at::Tensor> samples(const std::vector<at::Tensor>& batches) {
    std::vector<at::Tensor> rows;
    for (const at::Tensor& batch : batches)
      for (int64_t i = 0; i < batch.size(0); ++i) rows.push_back(batch.narrow(0, i, 1));
    return rows;
  }

  at::Tensor stacked(const std::vector<at::Tensor>& all, const std::vector<int64_t>& chosen) const {
    std::vector<at::Tensor> rows;
    for (const int64_t i : chosen) rows.push_back(all[static_cast<size_t>(i)]);
    const at::Tensor batch = rows.size() == 1 ? rows.front() : at::cat(rows);
    return batch.to(context_.source.options().device);
  }

  at::Tensor forward(int64_t after, const BlockWeights& weights, const at::Tensor& hidden,
                     const AttentionFunction& attention) const {
    return forward_block(context_.model, context_.layer + after, weights, context_.rope, hidden, 0,
                         attention);
  }

  const BlockContext& context_;
  const LossOptions& loss_;
  const KvViewOptions& view_;
  std::vector<BlockWeights> following_;
  // One sample each, [1, seq, hidden]; the last: the full-precision block's output on inputs_.
  std::vector<at::Tensor> inputs_, targets_, local_, same_input_;
};

double mean_loss(const Objective& objective, const TrainableBlock& block) {
  const at::NoGradGuard no_grad;
  const QuantizedBlock quantized = block.build();
  double sum = 0;
  for (int64_t i = 0; i < objective.count(); ++i)
    sum += objective.loss(quantized, {i}).item<double>();
  return sum / static_cast<double>(objective.count());
}

std::vector<at::Tensor> snapshot(const TrainableBlock& block) {
  std::vector<at::Tensor> kept;
  for (const TrainableBlock::Group& group : block.groups())
    for (const at::Tensor& x : group.parameters) kept.push_back(x.detach().clone());
  return kept;
}

void restore(const TrainableBlock& block, const std::vector<at::Tensor>& kept) {
  const at::NoGradGuard no_grad;
  size_t i = 0;
  for (const TrainableBlock::Group& group : block.groups())
    for (at::Tensor x : group.parameters) x.copy_(kept[i++]);
}

/// The optimizer with its schedule of rates.
class Schedule {
 public:
  Schedule(const BlockContext& context, const TrainableBlock& block, const TrainingOptions& options,
           int64_t steps, double factor)
      : context_(context), options_(options), steps_(steps) {
    std::vector<torch::optim::OptimizerParamGroup> groups;
    for (const TrainableBlock::Group& group : block.groups()) {
      rates_.push_back(group.rate * factor);
      groups.emplace_back(group.parameters, std::make_unique<torch::optim::AdamWOptions>(
                                                torch::optim::AdamWOptions(0).weight_decay(0)));
    }
    optimizer_ = std::make_unique<torch::optim::AdamW>(
        groups, torch::optim::AdamWOptions(0).weight_decay(0));
  }

  /// `loss`: of the last batch, for those who look on.
  void step(int64_t epoch, double loss) {
    const double at = static_cast<double>(done_++), all = static_cast<double>(steps_);
    double share = options_.decay == RateDecay::kLinear ? 1 - at / all : 1.0;
    if (options_.warmup > 0) share *= std::min(1.0, (at + 1) / (options_.warmup * all));
    for (size_t i = 0; i < rates_.size(); ++i)
      optimizer_->param_groups()[i].options().set_lr(rates_[i] * share);
    optimizer_->step();
    optimizer_->zero_grad();
    tell_activity(fmt::format("block {}/{}: training, epoch {}/{}, loss {:.4g}", context_.layer + 1,
                              context_.model.layers, epoch + 1, options_.epochs, loss));
    if (context_.on_share) context_.on_share(static_cast<double>(done_) / all);
  }

 private:
  const BlockContext& context_;
  const TrainingOptions& options_;
  int64_t steps_, done_ = 0;
  std::vector<double> rates_;
  std::unique_ptr<torch::optim::AdamW> optimizer_;
};

/// The order of samples in one epoch.
std::vector<int64_t> shuffled(int64_t count, int64_t seed, int64_t layer, int64_t epoch) {
  const uint64_t mixed = static_cast<uint64_t>(seed) * 1'000'003 +
                         static_cast<uint64_t>(layer) * 10'007 + static_cast<uint64_t>(epoch);
  at::Generator generator = at::detail::createCPUGenerator(mixed);
  const at::Tensor order = at::randperm(count, generator, at::kLong);
  const int64_t* data = order.const_data_ptr<int64_t>();
  return {data, data + count};
}

struct Epoch {
  int64_t number = 0;
  std::vector<int64_t> order;  ///< of the samples
};

/// One epoch; the mean loss, not finite where training has to be stopped.
double run_epoch(const Objective& objective, const TrainableBlock& block,
                 const TrainingOptions& options, const Epoch& epoch, Schedule& schedule) {
  const std::vector<int64_t>& order = epoch.order;
  double sum = 0;
  int64_t pending = 0;
  for (size_t first = 0; first < order.size(); first += static_cast<size_t>(options.batch)) {
    const size_t last = std::min(order.size(), first + static_cast<size_t>(options.batch));
    const std::vector<int64_t> chosen(order.begin() + static_cast<std::ptrdiff_t>(first),
                                      order.begin() + static_cast<std::ptrdiff_t>(last));
    const at::Tensor loss = objective.loss(block.build(), chosen);
    const double value = loss.item<double>();
    if (!std::isfinite(value)) return value;
    sum += value * static_cast<double>(chosen.size());
    (loss / static_cast<double>(options.accumulate)).backward();
    if (++pending == options.accumulate || last == order.size()) {
      schedule.step(epoch.number, value);
      pending = 0;
    }
  }
  return sum / static_cast<double>(order.size());
}

int64_t steps_of(const Objective& objective, const TrainingOptions& options) {
  const int64_t passes = (objective.count() + options.batch - 1) / options.batch;
  return options.epochs * ((passes + options.accumulate - 1) / options.accumulate);
}

/// All epochs at `factor` times the rates; false where a loss was not finite.
bool run_epochs(const BlockContext& context, const Objective& objective, TrainableBlock& block,
                const TrainingOptions& options, double factor, TrainingReport& report) {
  Schedule schedule(context, block, options, steps_of(objective, options), factor);
  std::vector<at::Tensor> best = snapshot(block);
  double lowest = report.first;
  report.loss.clear();
  for (int64_t epoch = 0; epoch < options.epochs; ++epoch) {
    std::vector<at::Tensor> before = snapshot(block);
    const Epoch samples{epoch, shuffled(objective.count(), options.seed, context.layer, epoch)};
    const double mean = run_epoch(objective, block, options, samples, schedule);
    if (!std::isfinite(mean)) {
      restore(block, best);
      report.events.push_back(
          fmt::format("epoch {}: loss not finite at {} of the rates; back to the best parameters",
                      epoch, factor));
      return false;
    }
    if (mean < lowest) best = std::move(before);
    lowest = std::min(lowest, mean);
    report.loss.push_back(mean);
  }
  return true;
}

}  // namespace

TrainingReport train_block(const BlockContext& context, TrainableBlock& block,
                           const TrainingOptions& training, const LossOptions& loss,
                           const KvViewOptions& view) {
  const Objective objective(context, loss, view);
  const std::vector<at::Tensor> initial = snapshot(block);
  TrainingReport report;
  report.first = mean_loss(objective, block);
  if (!std::isfinite(report.first))
    throw NotFiniteError(
        fmt::format("block {}: the loss before training is {}", context.layer, report.first));
  bool finished = false;
  {
    const at::AutoGradMode with_gradients(true);
    double factor = 1;
    for (int attempt = 0; attempt < kRetries && !finished; ++attempt, factor /= 2)
      finished = run_epochs(context, objective, block, training, factor, report);
  }
  report.last = finished ? mean_loss(objective, block) : NAN;
  if (!(report.last <= report.first)) {
    restore(block, initial);
    report.events.push_back(fmt::format(
        "loss {} after training, {} before: initial parameters kept", report.last, report.first));
    report.last = report.first;
  }
  return report;
}

}  // namespace wkvq
