#include "experiments/score/scoring.h"

#include <map>

#include "core/device/torch_headers.h"

namespace wkvq {

namespace {

at::Tensor log_probabilities(const Head& head, const at::Tensor& hidden) {
  const at::Tensor logits = head.logits(hidden);
  return at::log_softmax(logits.scalar_type() == at::kDouble ? logits : logits.to(at::kFloat), -1);
}

template <class T>
void append(std::vector<T>& out, const at::Tensor& values) {
  const at::Tensor host = values.to(at::kCPU, c10::CppTypeToScalarType<T>::value).contiguous();
  const T* data = host.const_data_ptr<T>();
  out.insert(out.end(), data, data + host.numel());
}

/// A scored token: whose it is, which one, and the place that predicts it.
struct Target {
  size_t request;  ///< of the batch
  int64_t token, place;
};

std::vector<Target> targets_of(const std::vector<Request>& requests, const RequestBatch& batch) {
  std::vector<Target> targets;
  for (size_t i = 0; i < batch.requests.size(); ++i) {
    const Request& request = requests[batch.requests[i]];
    auto token = request.tokens.begin() + request.score_from;
    for (const int64_t place : batch.predictors[i]) targets.push_back({i, *token++, place});
  }
  return targets;
}

/// Targets whose logits are alive at once: places, each once, and what is asked of them.
struct Chunk {
  std::vector<int64_t> places;
  std::vector<int64_t> slots, tokens;  ///< by target: index into places, and the token
};

/// The chunk that begins at target `next`, which is moved behind it.
Chunk take_chunk(const std::vector<Target>& targets, size_t& next) {
  Chunk chunk;
  std::map<int64_t, int64_t> slots;
  for (; next < targets.size(); ++next) {
    const auto [slot, fresh] =
        slots.emplace(targets[next].place, static_cast<int64_t>(slots.size()));
    if (fresh && static_cast<int64_t>(slots.size()) > kLogitRows) break;
    if (fresh) chunk.places.push_back(targets[next].place);
    chunk.slots.push_back(slot->second);
    chunk.tokens.push_back(targets[next].token);
  }
  return chunk;
}

/// What is known of the targets of one chunk.
Scored score_chunk(const Head& head, const Chunk& chunk, const at::Tensor& hidden,
                   const ScoringOptions& options) {
  const auto indices = [&](const std::vector<int64_t>& values) {
    return at::tensor(values, at::kLong).to(head.device());
  };
  const at::Tensor places = at::tensor(chunk.places, at::kLong).to(hidden.device()),
                   slots = indices(chunk.slots), tokens = indices(chunk.tokens);
  const auto log_probabilities_of = [&](const at::Tensor& states) {
    const at::Tensor chosen = states.flatten(0, 1).index_select(0, places.to(states.device()));
    return log_probabilities(head, chosen.to(head.device()));
  };
  const at::Tensor logp = log_probabilities_of(hidden);
  Scored scored;
  append(scored.nll, logp.index({slots, tokens}).neg());
  if (options.greedy) append(scored.greedy, logp.argmax(-1).index_select(0, slots) == tokens);
  if (!options.reference.defined()) return scored;
  const at::Tensor exact = log_probabilities_of(options.reference);
  append(scored.full_nll, exact.index({slots, tokens}).neg());
  // In place: with a large vocabulary each of these takes as much as a weight.
  const at::Tensor kl = (exact - logp).mul_(exact.exp()).sum(-1, false, at::kDouble);
  append(scored.kl, kl.index_select(0, slots));
  // Rows of NaN have an arg max too, and the same one.
  const at::Tensor agree = (logp.argmax(-1) == exact.argmax(-1)).logical_and_(at::isfinite(kl));
  append(scored.top1_agree, agree.index_select(0, slots));
  return scored;
}

/// Hands the answers of a chunk to the requests that asked, in order.
void distribute(const Scored& answers, const Target* targets, std::vector<Scored>& scored) {
  for (size_t i = 0; i < answers.nll.size(); ++i) {
    Scored& to = scored[targets[i].request];
    to.nll.push_back(answers.nll[i]);
    if (!answers.greedy.empty()) to.greedy.push_back(answers.greedy[i]);
    if (answers.kl.empty()) continue;
    to.kl.push_back(answers.kl[i]);
    to.full_nll.push_back(answers.full_nll[i]);
    to.top1_agree.push_back(answers.top1_agree[i]);
  }
}

}  // namespace

std::vector<Scored> score_batch(const Head& head, const std::vector<Request>& requests,
                                const RequestBatch& batch, const at::Tensor& hidden,
                                const ScoringOptions& options) {
  const at::NoGradGuard no_grad;
  const std::vector<Target> targets = targets_of(requests, batch);
  std::vector<Scored> scored(batch.requests.size());
  for (size_t next = 0; next < targets.size();) {
    const Target* const first = &targets[next];
    distribute(score_chunk(head, take_chunk(targets, next), hidden, options), first, scored);
  }
  return scored;
}

}  // namespace wkvq
