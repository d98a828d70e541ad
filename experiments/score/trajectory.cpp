#include "experiments/score/trajectory.h"

#include <numeric>

#include "core/device/torch_headers.h"
#include "core/generate/decoder.h"
#include "core/generate/generator.h"
#include "experiments/score/generation.h"
#include "experiments/score/scoring.h"

namespace wkvq {

namespace {

using Texts = std::vector<std::vector<int32_t>>;

/// What one model wrote or read after each of some prompts.
struct Passage {
  Texts texts;
  std::vector<at::Tensor> hidden;  ///< by prompt: what each token was chosen from, [tokens, hidden]
};

/// Requests `first` to `last` of an evaluation as prompts.
class Group {
 public:
  Group(const PreparedEvaluation& prepared, size_t first, size_t last)
      : prepared_(prepared), first_(first), last_(last) {}

  /// What `model` writes, or reads where `forced` has texts.
  Passage pass(Generator& model, const Texts& forced, const ShareTold& told) const {
    std::vector<Prompt> prompts;
    for (size_t i = first_; i < last_; ++i) {
      const Request& request = prepared_.requests()[i];
      const auto length = static_cast<int64_t>(request.tokens.size());
      prompts.push_back(
          {.tokens = request.tokens,
           .prefill = prefill_of(prepared_.view, prepared_.entry->context_prefill, length),
           .max_tokens = request.generation.max_tokens,
           .sequence = static_cast<int64_t>(i),
           .forced = forced.empty() ? std::vector<int32_t>() : forced[i - first_]});
    }
    const Generation& how = prepared_.requests()[first_].generation;
    std::vector<std::vector<at::Tensor>> states(prompts.size());
    double done = 0;
    const double all = static_cast<double>(prompts.size()) * static_cast<double>(how.max_tokens);
    Passage passage;
    passage.texts =
        model.generate(prompts, {.sampling = {.temperature = how.temperature, .seed = how.seed},
                                 .on_hidden = [&](size_t prompt, const at::Tensor& hidden) {
                                   states[prompt].push_back(hidden);
                                   if (told) told(++done / all);
                                 }});
    for (const auto& of_prompt : states) passage.hidden.push_back(at::stack(of_prompt));
    return passage;
  }

  /// The scores of `text` after prompt `i` of the group, from `hidden` and, where it is defined,
  /// full precision's.
  Scored score(const Head& head, size_t i, const std::vector<int32_t>& text,
               const at::Tensor& hidden, const at::Tensor& reference) const {
    Request request = prepared_.requests()[first_ + i];
    request.tokens.insert(request.tokens.end(), text.begin(), text.end());
    RequestBatch batch{.requests = {0}, .predictors = {std::vector<int64_t>(text.size())}};
    std::iota(batch.predictors[0].begin(), batch.predictors[0].end(), 0);
    const at::Tensor full = reference.defined() ? reference.unsqueeze(0) : reference;
    return score_batch(head, {request}, batch, hidden.unsqueeze(0), {full}).front();
  }

 private:
  const PreparedEvaluation& prepared_;
  size_t first_, last_;
};

}  // namespace

std::vector<Scored> follow_texts(ModelSource& source, const PreparedEvaluation& prepared,
                                 const std::vector<QuantizedBlock>& blocks, const ShareTold& told) {
  const at::NoGradGuard no_grad;
  const Head head = source.head();
  Generator full(source, full_precision_blocks(source), {.mode = ViewMode::kNone});
  Generator quantized(source, blocks, prepared.view, prepared.entry->storage);
  const size_t count = prepared.requests().size();
  std::vector<Scored> scored;
  for (size_t first = 0; first < count; first += kPromptsTogether) {
    const size_t last = std::min(count, first + kPromptsTogether);
    const Group group(prepared, first, last);
    // The four passes of a group, one after the other.
    const auto part = [&](int pass) {
      return [&, pass](double share) {
        const double now = (pass + share) / 4 * static_cast<double>(last - first);
        if (told) told((static_cast<double>(first) + now) / static_cast<double>(count));
      };
    };
    const Passage followed = group.pass(full, {}, part(0));
    const Passage following = group.pass(quantized, followed.texts, part(1));
    const Passage written = group.pass(quantized, {}, part(2));
    const Passage judged = group.pass(full, written.texts, part(3));
    for (size_t i = 0; i < last - first; ++i) {
      Scored one = group.score(head, i, followed.texts[i], following.hidden[i], followed.hidden[i]);
      one.generated_nll = group.score(head, i, written.texts[i], judged.hidden[i], {}).nll;
      one.followed = followed.texts[i];
      one.generated = written.texts[i];
      scored.push_back(std::move(one));
    }
  }
  return scored;
}

}  // namespace wkvq
