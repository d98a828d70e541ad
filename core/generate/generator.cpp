#include "core/generate/generator.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/calibrate/packed_block.h"
#include "core/device/finite.h"
#include "core/device/torch_headers.h"

namespace wkvq {

namespace {

std::string unsupported_by_pass(const ModelSource& source,
                                const std::vector<QuantizedBlock>& blocks) {
  const SourceOptions& options = source.options();
  if (!options.device.is_cpu() || options.dtype != at::kFloat) return "another type than float32";
  return TokenPass::unsupported(source.config(), blocks);
}

/// Minus infinity stands for a token that is never written; all else has to be finite.
void require_numbers(const std::vector<double>& logits, int64_t token, size_t prompt) {
  for (const double logit : logits)
    if (!(logit < std::numeric_limits<double>::infinity()))
      throw NotFiniteError(fmt::format("generator: a logit after token {} of prompt {} is {}",
                                       token, prompt,
                                       std::isnan(logit) ? "not a number" : "infinite"));
}

}  // namespace

double WrittenToken::log_probability() const {
  const double largest = *std::max_element(logits->begin(), logits->end());
  double sum = 0;
  for (const double logit : *logits) sum += std::exp(logit - largest);
  return (*logits)[static_cast<size_t>(token)] - largest - std::log(sum);
}

Generator::Generator(ModelSource& source, std::vector<QuantizedBlock> blocks,
                     const KvViewOptions& view, Storage cache)
    : source_(source),
      blocks_(std::move(blocks)),
      unsupported_(unsupported_by_pass(source, blocks_)),
      team_(unsupported_.empty() ? at::get_num_threads() : 1),
      view_(view),
      cache_(cache) {
  if (!unsupported_.empty()) {
    head_ = source.head();
    return;
  }
  // Full-precision blocks keep their head in float32, like all of their weights.
  const bool packed = std::any_of(blocks_.begin(), blocks_.end(), [](const QuantizedBlock& block) {
    return block.weights.down.packed != nullptr;
  });
  token_head_.emplace(source, packed);
  pass_ = std::make_unique<TokenPass>(source.config(), source.rope(), blocks_, team_);
}

int64_t Generator::Row::next() const {
  const auto length = static_cast<int64_t>(prompt->tokens.size());
  return position < length ? prompt->tokens[static_cast<size_t>(position)]
                           : written[static_cast<size_t>(position - length)];
}

Generator::Row Generator::start(const Prompt& prompt, size_t index) const {
  TORCH_CHECK(!prompt.tokens.empty(), "generator: prompt ", index, " has no tokens");
  TORCH_CHECK(
      prompt.forced.empty() || static_cast<int64_t>(prompt.forced.size()) == prompt.max_tokens,
      "generator: prompt ", index, " is forced to write ", prompt.forced.size(), " tokens of ",
      prompt.max_tokens);
  TORCH_CHECK(prompt.prefill == 0 || view_.mode == ViewMode::kPast || view_.mode == ViewMode::kNone,
              "generator: mode ", view_.name(), " has no prefill");
  Row row{.prompt = &prompt, .index = index};
  KvViewOptions view = view_;
  view.prefill = prompt.prefill;
  for (size_t i = 0; i < blocks_.size(); ++i)
    row.caches.push_back(make_block_cache(blocks_[i].codec, view, cache_, static_cast<int64_t>(i)));
  row.done = prompt.max_tokens < 1;
  return row;
}

int64_t Generator::weight_bytes() const {
  int64_t bytes = head_ ? head_->held_bytes() : token_head_->held_bytes();
  for (const QuantizedBlock& block : blocks_) bytes += held_bytes(block.weights);
  return bytes;
}

at::Tensor Generator::prefill(Row& row) {
  const int64_t n = row.prompt->prefill;
  const at::ArrayRef<int32_t> tokens(row.prompt->tokens.data(), static_cast<size_t>(n));
  at::Tensor hidden = source_.embed(at::tensor(tokens, at::kLong).unsqueeze(0));
  for (size_t i = 0; i < blocks_.size(); ++i)
    hidden = forward_block(
        source_.config(), static_cast<int64_t>(i), blocks_[i].weights, source_.rope(), hidden, 0,
        [&](const AttentionInputs& in) { return wkvq::step(row.caches[i], in); });
  row.position = n;
  return hidden.select(1, n - 1);
}

at::Tensor Generator::plain_step(const std::vector<Row*>& rows) {
  std::vector<int64_t> tokens;
  std::vector<TokenPlace> places;
  for (Row* row : rows) {
    tokens.push_back(row->next());
    places.push_back({&row->caches, row->position++});
  }
  const at::Tensor hidden = source_.embed(at::tensor(tokens, at::kLong)).contiguous();
  pass_->step(hidden.data_ptr<float>(), places);
  return hidden;
}

at::Tensor Generator::step(const std::vector<Row*>& rows) {
  if (pass_ && static_cast<int64_t>(rows_.size()) <= TokenPass::kMostRows) return plain_step(rows);
  std::vector<int64_t> tokens, positions;
  for (const Row* row : rows) {
    tokens.push_back(row->next());
    positions.push_back(row->position);
  }
  const at::Tensor places = at::tensor(positions, at::kLong).to(source_.options().device);
  at::Tensor hidden = source_.embed(at::tensor(tokens, at::kLong).unsqueeze(0));
  for (size_t i = 0; i < blocks_.size(); ++i) {
    const AttentionFunction attention = [&](const AttentionInputs& in) {
      std::vector<at::Tensor> outputs;
      for (size_t b = 0; b < rows.size(); ++b) {
        AttentionInputs own = in;
        for (at::Tensor* x : {&own.query, &own.key, &own.value, &own.key_before_rope})
          *x = x->narrow(2, static_cast<int64_t>(b), 1);
        own.positions = positions[b];
        outputs.push_back(wkvq::step(rows[b]->caches[i], own));
      }
      return at::cat(outputs, 2);
    };
    hidden = forward_block(source_.config(), static_cast<int64_t>(i), blocks_[i].weights,
                           source_.rope(), hidden, Positions(places), attention);
  }
  for (Row* row : rows) ++row->position;
  return hidden.squeeze(0);
}

std::vector<std::vector<double>> Generator::logits(const at::Tensor& hidden) {
  if (token_head_)
    return token_head_->logits(team_, hidden.contiguous().const_data_ptr<float>(), hidden.size(0));
  const at::Tensor all = head_->logits(hidden).to(at::kCPU, at::kDouble).contiguous();
  std::vector<std::vector<double>> rows;
  for (int64_t b = 0; b < all.size(0); ++b) {
    const double* const first = all.const_data_ptr<double>() + b * all.size(1);
    rows.emplace_back(first, first + all.size(1));
  }
  return rows;
}

void Generator::choose(const std::vector<Row*>& rows, const at::Tensor& hidden,
                       const GenerationOptions& options, std::vector<Sampler>& samplers) {
  if (options.on_hidden)
    for (size_t b = 0; b < rows.size(); ++b)
      options.on_hidden(rows[b]->index, hidden.select(0, static_cast<int64_t>(b)));
  if (rows.front()->prompt->forced.empty())
    return choose_by_logits(rows, hidden, options, samplers);
  for (Row* row : rows) {
    row->written.push_back(row->prompt->forced[row->written.size()]);
    row->done = row->written.size() == row->prompt->forced.size();
  }
}

void Generator::choose_by_logits(const std::vector<Row*>& rows, const at::Tensor& hidden,
                                 const GenerationOptions& options, std::vector<Sampler>& samplers) {
  const std::vector<std::vector<double>> of_rows = logits(hidden);
  for (size_t b = 0; b < rows.size(); ++b) {
    Row& row = *rows[b];
    const std::vector<double>& own = of_rows[b];
    require_numbers(own, row.position - 1, row.index);
    const int64_t token = samplers[row.index].choose(own);
    const auto& ends = options.end_tokens;
    row.done = std::find(ends.begin(), ends.end(), token) != ends.end();
    if (row.done) continue;
    row.written.push_back(static_cast<int32_t>(token));
    row.done = static_cast<int64_t>(row.written.size()) >= row.prompt->max_tokens;
    if (options.on_token && !options.on_token({row.index, row.written.back(), &own}))
      row.done = true;
  }
}

void Generator::advance(const std::vector<Row*>& rows, const GenerationOptions& options,
                        std::vector<Sampler>& samplers) {
  const at::Tensor hidden = step(rows);
  std::vector<Row*> choosing;
  std::vector<int64_t> places;
  for (size_t b = 0; b < rows.size(); ++b) {
    if (!rows[b]->chooses()) continue;
    choosing.push_back(rows[b]);
    places.push_back(static_cast<int64_t>(b));
  }
  if (choosing.empty()) return;
  const at::Tensor kept = at::tensor(places, at::kLong).to(hidden.device());
  choose(choosing, hidden.index_select(0, kept), options, samplers);
}

std::vector<std::vector<int32_t>> Generator::generate(const std::vector<Prompt>& prompts,
                                                      const GenerationOptions& options) {
  const at::NoGradGuard no_grad;
  rows_.clear();
  std::vector<Sampler> samplers;
  for (const Prompt& prompt : prompts) {
    TORCH_CHECK(prompt.forced.empty() == prompts.front().forced.empty(),
                "generator: some prompts are forced, others are not");
    samplers.emplace_back(options.sampling, prompt.sequence);
    rows_.push_back(start(prompt, rows_.size()));
  }
  for (Row& row : rows_) {
    const auto length = static_cast<int64_t>(row.prompt->tokens.size());
    if (row.done || row.prompt->prefill < 1 || row.prompt->prefill > length) continue;
    const at::Tensor hidden = prefill(row);
    if (row.chooses()) choose({&row}, hidden, options, samplers);
  }
  // Where frequencies depend on the length of a sequence, others may not have a say in it.
  const size_t together = source_.rope().fixed_frequencies() ? rows_.size() : 1;
  while (true) {
    std::vector<Row*> going;
    for (Row& row : rows_)
      if (!row.done) going.push_back(&row);
    if (going.empty()) break;
    for (auto first = going.begin(); first != going.end();) {
      const auto last = first + std::min<std::ptrdiff_t>(static_cast<std::ptrdiff_t>(together),
                                                         going.end() - first);
      advance({first, last}, options, samplers);
      first = last;
    }
  }
  std::vector<std::vector<int32_t>> written;
  for (Row& row : rows_) written.push_back(row.written);
  return written;
}

}  // namespace wkvq
