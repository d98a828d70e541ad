#include "core/cache/decode_attention.h"

#include <cmath>
#include <limits>

#include "core/cache/decode_queries.h"
#include "core/device/torch_headers.h"
#include "core/kernels/packed_problems.h"
#include "core/kernels/team.h"

namespace wkvq {

namespace {

/// What of a task's tokens is packed.
enum class Kind { kPacked, kPackedKeys, kExact };

/// One unit of work: a span of tokens with packed keys, or the tokens of one entry of `exact`.
struct Task {
  Kind kind = Kind::kPacked;
  int64_t batch = 0, head = 0;
  int64_t first_page = 0, begin = 0, end = 0;  ///< tokens counted from the first page
  size_t exact = 0;                            ///< kExact: which entry
};

/// DecodeQueries as plain memory.
struct QueryRows {
  const float *plain, *folded, *offset;
  int64_t rows, steps;

  explicit QueryRows(const DecodeQueries& q)
      : plain(q.plain.const_data_ptr<float>()),
        folded(q.folded.const_data_ptr<float>()),
        offset(q.offset.const_data_ptr<float>()),
        rows(q.rows),
        steps(q.steps) {}
  QueryRows(const float* scaled, const float* zeros, int64_t count)
      : plain(scaled), folded(scaled), offset(zeros), rows(count), steps(1) {}
};

/// What decode_output takes, as plain memory of zeros.
struct DecodeParts {
  float *packed, *exact, *share;
};

class Decoding {
 public:
  Decoding(const QueryRows& queries, const DecodeContext& context)
      : context_(context),
        shape_(context.past.shape()),
        queries_(queries),
        nothing_hidden_(static_cast<size_t>(queries_.rows), 0) {
    for (int64_t r = 0; r < queries_.rows; ++r)
      hidden_.push_back(queries_.steps - 1 - r % queries_.steps);
    list_tasks();
    const size_t count = tasks_.size() * static_cast<size_t>(queries_.rows);
    tops_.resize(count);
    totals_.resize(count);
    sums_.resize(count * static_cast<size_t>(shape_.head_dim));
  }

  /// loop(n, body) calls body(i) for all i < n.
  template <class Loop>
  void attend(const DecodeParts& parts, Loop&& loop) {
    loop(static_cast<int64_t>(tasks_.size()), [&](int64_t i) {
      thread_local std::vector<float> scratch;
      const auto size = static_cast<size_t>(std::max(kDecodeRows * kSpanTokens, longest_));
      if (scratch.size() < size) scratch.resize(size);
      run(i, scratch.data());
    });
    const int64_t rows = queries_.rows, dim = shape_.head_dim;
    // Less than a thread would be worth.
    for (int64_t i = 0; i < shape_.batch * shape_.kv_heads * rows; ++i)
      parts.share[i] = merge_row(i / rows, i % rows, parts.packed + i * dim, parts.exact + i * dim);
  }

 private:
  /// Those of a head lie together, in the order of its tokens.
  void list_tasks() {
    for (int64_t b = 0; b < shape_.batch; ++b) {
      const auto at = static_cast<size_t>(b);
      const int64_t past_begin = context_.past_begin.empty() ? 0 : context_.past_begin[at];
      for (int64_t head = 0; head < shape_.kv_heads; ++head) {
        firsts_.push_back(static_cast<int64_t>(tasks_.size()));
        const int64_t whole = context_.past.tokens(b);
        list_spans({Kind::kPacked, b, head}, past_begin, whole);
        list_spans({Kind::kPackedKeys, b, head}, std::max(past_begin, whole),
                   context_.past.tokens(b, true));
        for (size_t i = 0; i < context_.exact.size(); ++i) {
          const int64_t begin = context_.exact[i].begin[at], end = context_.exact[i].end[at];
          if (begin >= end) continue;
          tasks_.push_back({Kind::kExact, b, head, 0, begin, end, i});
          longest_ = std::max(longest_, end - begin);
        }
      }
    }
    firsts_.push_back(static_cast<int64_t>(tasks_.size()));
  }

  void list_spans(Task task, int64_t from, int64_t to) {
    for (int64_t t = from / kSpanTokens * kSpanTokens; from < to && t < to; t += kSpanTokens) {
      task.first_page = t / kPageTokens;
      task.begin = std::max<int64_t>(0, from - t);
      task.end = std::min(kSpanTokens, to - t);
      tasks_.push_back(task);
    }
  }

  /// Exact values of the tokens of a kPackedKeys task: they end where exact keys begin.
  const float* values_of(const Task& task) const {
    const ExactTokens& tokens = context_.exact.back();
    const int64_t before =
        context_.past.tokens(task.batch, true) - (task.first_page * kPageTokens + task.begin);
    const int64_t at = task.batch * shape_.kv_heads + task.head;
    return tokens.value.const_data_ptr<float>() +
           (at * tokens.value.size(2) + tokens.begin[static_cast<size_t>(task.batch)] - before) *
               shape_.head_dim;
  }

  void run(int64_t i, float* scratch) {
    const Task& task = tasks_[static_cast<size_t>(i)];
    const PackedKv& past = context_.past;
    const int64_t at = task.batch * shape_.kv_heads + task.head;
    const int64_t row = at * queries_.rows;
    float* top = tops_.data() + i * queries_.rows;
    float* total = totals_.data() + i * queries_.rows;
    float* sums = sums_.data() + i * queries_.rows * shape_.head_dim;
    if (task.kind != Kind::kExact) {
      past.kernels().attend(
          {.key = past.format(true),
           .value = past.format(false),
           .pages = past.pages(task.batch) + task.first_page,
           .key_offset = past.part_offset(task.head, true),
           .value_offset = past.part_offset(task.head, false),
           .begin = task.begin,
           .end = task.end,
           .more = task.first_page * kPageTokens + kSpanTokens < past.tokens(task.batch, true),
           .exact_value = task.kind == Kind::kPackedKeys ? values_of(task) : nullptr,
           .query = queries_.folded + row * shape_.head_dim,
           .rows = queries_.rows,
           .scratch = scratch,
           .top = top,
           .total = total,
           .sums = sums});
      return;
    }
    const ExactTokens& tokens = context_.exact[task.exact];
    const bool own = task.exact + 1 == context_.exact.size();
    const int64_t first = at * tokens.key.size(2) * shape_.head_dim;
    past.kernels().attend_exact({.key = tokens.key.const_data_ptr<float>() + first,
                                 .value = tokens.value.const_data_ptr<float>() + first,
                                 .stride = shape_.head_dim,
                                 .dim = shape_.head_dim,
                                 .begin = task.begin,
                                 .end = task.end,
                                 .query = queries_.plain + row * shape_.head_dim,
                                 .offset = queries_.offset + row,
                                 .hidden = (own ? hidden_ : nothing_hidden_).data(),
                                 .rows = queries_.rows,
                                 .scratch = scratch,
                                 .top = top,
                                 .total = total,
                                 .sums = sums});
  }

  /// Sums the parts of a query in their order: packed ones, exact ones. Returns the share of packed
  /// tokens.
  float merge_row(int64_t head, int64_t r, float* packed, float* exact) const {
    const int64_t from = firsts_[static_cast<size_t>(head)],
                  to = firsts_[static_cast<size_t>(head + 1)];
    const int64_t rows = queries_.rows, dim = shape_.head_dim;
    float top = -std::numeric_limits<float>::infinity();
    const auto of = [&](const std::vector<float>& x, int64_t i) {
      return x[static_cast<size_t>(i * rows + r)];
    };
    for (int64_t i = from; i < to; ++i) top = std::max(top, of(tops_, i));
    float all = 0, share = 0;
    for (int64_t i = from; i < to; ++i) {
      const bool is_packed = tasks_[static_cast<size_t>(i)].kind == Kind::kPacked;
      const float factor = std::exp(of(tops_, i) - top), weight = factor * of(totals_, i);
      all += weight;
      if (is_packed) share += weight;
      float* out = is_packed ? packed : exact;
      const float* sums = sums_.data() + (i * rows + r) * dim;
      for (int64_t c = 0; c < dim; ++c) out[c] += factor * sums[c];
    }
    for (int64_t c = 0; c < dim; ++c) {
      packed[c] /= all;
      exact[c] /= all;
    }
    return share / all;
  }

  const DecodeContext& context_;
  PackedKv::Shape shape_;
  QueryRows queries_;
  std::vector<int64_t> hidden_, nothing_hidden_;  // [rows]: tokens of the step after the row's own
  std::vector<Task> tasks_;
  std::vector<int64_t> firsts_;  // of every head, and the end
  int64_t longest_ = 0;
  std::vector<float> tops_, totals_, sums_;  // of every task
};

/// Every query must see a token, its own among them where there are several. Tokens with packed
/// keys only must have their values.
void check_seen(const DecodeContext& context, int64_t steps) {
  for (int64_t b = 0; b < context.past.shape().batch; ++b) {
    const auto at = static_cast<size_t>(b);
    const int64_t begin = context.past_begin.empty() ? 0 : context.past_begin[at];
    const int64_t keys = context.past.tokens(b, true), values = context.past.tokens(b, false);
    const int64_t between = keys - std::max(begin, values);
    TORCH_CHECK(values <= keys && (between <= 0 || (!context.exact.empty() &&
                                                    context.exact.back().begin[at] >= between)),
                "decode attention: sequence ", b, " has ", keys, " packed keys and ", values,
                " packed values; expected as many, or the values between them in front of the last "
                "exact tokens");
    bool any = begin < keys;
    for (const ExactTokens& tokens : context.exact) any = any || tokens.begin[at] < tokens.end[at];
    TORCH_CHECK(any, "decode attention: sequence ", b, " has no token to attend to");
    if (steps == 1) continue;
    const int64_t own = context.exact.back().end[at] - context.exact.back().begin[at];
    TORCH_CHECK(own >= steps, "decode attention: ", steps, " queries with ", own,
                " exact tokens; expected their own keys and values among them");
  }
}

}  // namespace

at::Tensor decode_attention(const at::Tensor& query, const DecodeContext& context) {
  const PackedKv::Shape& shape = context.past.shape();
  TORCH_CHECK(query.dim() == 4 && query.size(0) == shape.batch && query.device() == shape.device &&
                  query.size(1) % shape.kv_heads == 0 && query.size(3) == shape.head_dim,
              "decode attention: got query ", query.sizes(), " on ", query.device(), "; expected [",
              shape.batch, ", a multiple of ", shape.kv_heads, ", n, ", shape.head_dim, "] on ",
              shape.device);
  TORCH_CHECK(query.size(2) == 1 || !context.exact.empty(),
              "decode attention: several queries need exact keys of their own");
  check_seen(context, query.size(2));
  const at::NoGradGuard no_grad;
  if (context.past.device_kernels())
    return decode_on_device(query, context).to(query.scalar_type());
  const DecodeQueries queries = decode_queries(query, context.past);
  const std::vector<int64_t> parts{shape.batch, shape.kv_heads, queries.rows, shape.head_dim};
  const at::Tensor packed = at::zeros(parts, at::kFloat), exact = at::zeros(parts, at::kFloat);
  const at::Tensor share = at::zeros({parts[0], parts[1], parts[2], 1}, at::kFloat);
  Decoding(QueryRows(queries), context)
      .attend({packed.data_ptr<float>(), exact.data_ptr<float>(), share.data_ptr<float>()},
              [](int64_t count, auto&& body) {
                at::parallel_for(0, count, 1, [&](int64_t begin, int64_t end) {
                  for (int64_t i = begin; i < end; ++i) body(i);
                });
              });
  return decode_output(packed, exact, share, context.past, queries.steps).to(query.scalar_type());
}

void decode_attention(const TokenStep& in, const DecodeContext& context, Team& team) {
  const PackedKv::Shape& shape = context.past.shape();
  TORCH_CHECK(shape.batch == 1 && shape.kv_heads == in.kv_heads && shape.head_dim == in.head_dim &&
                  in.heads % in.kv_heads == 0 && !context.past.device_kernels(),
              "decode attention: got a token of ", in.heads, " heads of ", in.head_dim, " on ",
              in.kv_heads, "; expected a multiple of ", shape.kv_heads, " of ", shape.head_dim,
              ", one sequence on the CPU");
  check_seen(context, 1);
  const auto loop = [&](int64_t count, auto&& body) { team.run(count, body); };
  const auto rows = static_cast<size_t>(in.heads);
  const size_t size = rows * static_cast<size_t>(in.head_dim);
  const auto with_channels = [](const KvTensorCodec& codec) {
    return codec.scale().defined() || codec.shift().defined() ||
           codec.options().rotate != KvRotation::kNone;
  };
  std::vector<float> packed(size, 0.0F), exact(size, 0.0F), share(rows, 0.0F);
  const DecodeParts parts{packed.data(), exact.data(), share.data()};
  if (with_channels(context.past.codec().key)) {
    const at::Tensor query =
        at::from_blob(const_cast<float*>(in.query), {1, in.heads, 1, in.head_dim}, at::kFloat);
    const DecodeQueries queries = decode_queries(query, context.past);
    Decoding(QueryRows(queries), context).attend(parts, loop);
  } else {
    const auto root = static_cast<float>(std::sqrt(static_cast<double>(in.head_dim)));
    std::vector<float> scaled(in.query, in.query + size);
    const std::vector<float> zeros(rows, 0.0F);
    for (float& x : scaled) x /= root;
    Decoding({scaled.data(), zeros.data(), in.heads / in.kv_heads}, context).attend(parts, loop);
  }
  if (!with_channels(context.past.codec().value)) {
    for (size_t i = 0; i < size; ++i) in.out[i] = packed[i] + exact[i];
    return;
  }
  const std::vector<int64_t> places{1, in.kv_heads, in.heads / in.kv_heads, in.head_dim};
  const auto tensor = [&](std::vector<float>& of, int64_t width) {
    return at::from_blob(of.data(), {places[0], places[1], places[2], width}, at::kFloat);
  };
  const at::Tensor out = decode_output(tensor(packed, in.head_dim), tensor(exact, in.head_dim),
                                       tensor(share, 1), context.past, 1);
  std::copy_n(out.contiguous().const_data_ptr<float>(), size, in.out);
}

}  // namespace wkvq
