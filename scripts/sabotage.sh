#!/usr/bin/env bash
# Breaks the code in one place at a time, in a copy, and shows which tests see it. A sabotage that no test sees fails the script.
# usage: scripts/sabotage.sh [NAME ...]   (after scripts/bootstrap.sh; about a minute a sabotage)
set -euo pipefail
cd "$(dirname "$0")/.."
copy=${TMPDIR:-/tmp}/wkvq-sabotage
shared=$(realpath "${WKVQ_SHARED:-../shared}" 2>/dev/null || true)

# name | file | sed expression | test program | tests to run
sabotages=(
  "rounding mode|core/kernels/group_math.h|s/return rintf(x)/return roundf(x)/; s/return rint(x)/return round(x)/|test_core|quantizer*"
  "zero point|core/kernels/group_math.h|s/p.zero = round_half_even(-lowest \/ scale)/p.zero = -lowest \/ scale/|test_core|quantizer*"
  "group boundary|core/kernels/fake_quant.cpp|s/\.group = group,/.group = group + 1,/|test_core|quantizer*"
  "GQA repeat|core/attention_problem.cpp|s/\.key = rows(kv.key)/.key = const_rows_of<T>(kv.key, at.batch, (at.head + 1) % kv.key.size(1))/|test_core|attention*"
  "RoPE pairing|core/fused_ops.cpp|s/x\[i\] \* cos\[i\] - x\[i + half\] \* sin\[i\]/x[i] * cos[i] - x[(i + 1) % half + half] * sin[i]/|test_core|famil*,*Hugging Face*"
  "diagonal of the past view|core/attention_bounds.cpp|s/mask\.bound(t), 0, t + 1/mask.bound(t) + 1, 0, t + 1/|test_core|attention*"
  "tensor key bound|core/kernels/tensor_attention.cuh|s/(s + token(i) < key_bound_)/(s + token(i) <= key_bound_)/|test_core|device attention*"
  "tensor scale of scores|core/kernels/tensor_attention.cuh|s/\[token(i)\] \* p_.scale/[token(i)]/|test_core|device attention*"
  "tensor running softmax|core/kernels/tensor_attention.cuh|s/scale_sums(weigh(s));/weigh(s);/|test_core|device attention*"
  "tensor slice of values|core/kernels/tensor_attention.cuh|s/memory_.tokens\[j \* kSide\] + c \* kSide/memory_.tokens[0 * j] + c * kSide/|test_core|device attention*"
  "tensor barrier of weights|core/kernels/tensor_attention.cuh|/? scores_\[i\] : 0.0f);/{n;d}|test_core|device attention*"
  "GGUF pairs of rows|core/gguf_tensor.cpp|s/head_dim \/ 2, 2, values/2, head_dim \/ 2, values/|test_core|weights of a GGUF model*,rows in pairs*"
  "GGUF rope factors|core/rope.cpp|s/inverse = inverse \/ at::tensor/inverse = inverse * at::tensor/|test_core|logits of GGUF models*"
  "GGUF group scales|core/base/gguf_blocks.cpp|s/packed\[i\] >> 2 & 0x30/packed[i] >> 4 \& 0x0C/|test_base|GGUF blocks*"
  "GGUF end of the data|core/base/gguf.cpp|s/ || tensor.entry.bytes > data.size() - expected//|test_base|GGUF*"
  "packed high bit|core/kernels/panel_products.h|s/high >> (i - 2)/high >> (i - 1)/|test_core|decode attention*,packed weight*"
  "packed value scale|core/kernels/decode_attention.inc|s/grid.scale + g \* kPageTokens + t/grid.scale + t/|test_core|decode attention*"
  "packed value minimum|core/kernels/decode_attention.inc|s/minima\[r\] += sum\[i\]/minima[r] = sum[i]/|test_core|decode attention*"
  "packed shift of exact keys|core/kernels/decode_attention.inc|s/ - span.offset\[r\]//|test_core|decode attention*"
  "packed weight group|core/kernels/packed_linear.inc|s/w.sums\[(row + r) \* f.groups() + g\]/w.sums[(row + r) * f.groups()]/|test_core|packed weight*"
  "packed weight zero point|core/kernels/packed_linear.inc|s/stream >> (l \* bits)/stream >> (l * bits + 1)/|test_core|packed weight*"
  "packed key lane|core/kernels/packed_codec.inc|s/part.panel(slot \/ kPanelLanes) + slot % kPanelLanes;/part.panel(slot \/ kPanelLanes) + (slot + 1) % kPanelLanes;/|test_core|packed kv*"
  "packed append divides|core/kernels/packed_codec.inc|s/y\[i\] = y\[i\] \/ in.scale\[i\]/y[i] = y[i] * (1.0f \/ in.scale[i])/|test_core|packed kv*"
  "packed value shift|core/decode_attention.cpp|s/if (is_packed) share += weight;/if (is_packed) share = weight;/|test_core|decode attention*"
  "packed window|core/packed_cache.cpp|s/tokens - view_.window + 1)/tokens - view_.window)/|test_core|packed cache*"
  "packed window of kivi|core/packed_cache.cpp|s/: std::max<int64_t>(0, tokens - view_.window)/: std::max<int64_t>(0, tokens - view_.window - 1)/|test_core|packed cache*"
  "packed scale along time|core/kernels/packed_layout.h|s/slot \/ group \* dim + channel/channel/|test_core|packed kv*"
  "packed fold along time|core/kernels/decode_attention.inc|s/const int64_t from = g \* dim_ \* stored/const int64_t from = 0 * g * stored/|test_core|decode attention*"
  "packed keys' exact values|core/decode_attention.cpp|s/\[static_cast<size_t>(task.batch)\] - before/[static_cast<size_t>(task.batch)] - before + 1/|test_core|decode attention*"
  "codes without clipping|core/weight_codes.cpp|s/encode(weight, spec, clip)/encode(weight, spec)/|test_methods|packing*"
  "codes in the order of rounding|methods/gptq/gptq_solver.cpp|s/codes_on(in_place(codes)/codes_on(codes/|test_methods|packing*"
  "bias of a packed linear|core/transformer.cpp|s/product + bias : product/product : product/|test_methods|packing*"
  "position of what is not finite|core/packed_cache.cpp|s/tokens_\[index(row)\] + \*bad/*bad/|test_core|packed cache*"
  "rows of a batch|core/generator.cpp|s/positions.push_back(row->position)/positions.push_back(rows[0]->position)/|test_core|generator*"
  "a token encoded twice|core/kv_cache.cpp|s/first = side.sinks + side.encoded/first = side.sinks + std::max<int64_t>(0, side.encoded - 1)/|test_core|generator*"
  "device key lane|core/kernels/packed_keys.cuh|s/keys.panel(slot \/ kPanelLanes)/keys.panel((slot + 1) \/ kPanelLanes)/|test_core|device decode*"
  "device scale of values|core/kernels/decode_attention.cuh|s/grid = channel \/ p_.value.group \* kPageTokens/grid = 0 * channel/|test_core|device decode*"
  "device scales along time|core/kernels/packed_keys.cuh|s/keys.scales(), grid + i + j/keys.scales(), grid + j/|test_core|device decode*"
  "device minima along time|core/kernels/packed_keys.cuh|s/sums\[r\]\[t \/ format_.group\]/sums[r][t \/ kSpanTokens]/|test_core|device decode*"
  "device page of minima|core/kernels/packed_keys.cuh|s/part(g \/ format_.groups())/part(0 * g)/|test_core|device decode*"
  "device exact values|core/kernels/decode_attention.cuh|s/first = packed() ? span_.begin : 0/first = 0/|test_core|device decode*"
  "device values of a span|core/device_decode.cpp|s/values + (t + span.begin - from)/values + (span.begin)/|test_core|device decode*"
  "device begin of values|core/device_decode.cpp|s/- (keys - from), 1)/- (keys - whole), 1)/|test_core|device decode*"
  "device own tokens|core/kernels/decode_attention.cuh|s/t <= span_.own + (first_row_ + r) % p_.steps/t <= span_.own + p_.steps/|test_core|device decode*"
  "device sum of spans|core/kernels/decode_attention.cuh|s/factor = expf(p.top\[partial(i)\] - top)/factor = 1.0f/|test_core|device decode*"
  "device barrier of a page|core/kernels/decode_attention.cuh|/const KvPart values = part(page, false);/{n;d}|test_core|device decode*"
  "device word of a key|core/kernels/quantize_append.cuh|s/codes\[w % 3 \* 16 + i\]/codes[i]/|test_core|device append*"
  "device barrier of codes|core/kernels/quantize_append.cuh|/code_of(smoothed(t), params);/{n;d}|test_core|device append*"
  "device group along time|core/kernels/quantize_append.cuh|s/t < first + format_.group; ++t) {/t + 1 < first + format_.group; ++t) {/|test_core|device append*"
  "device page of a side|core/kernels/quantize_append.cuh|s/slot = side_.first % kPageTokens, page/slot = p_.value.first % kPageTokens, page/|test_core|device append*"
  "device group of a channel|core/kernels/quantize_append.cuh|s/memory_.x + group \* format_.group/memory_.x/|test_core|device append*"
  "device weight group|core/kernels/packed_linear.cuh|s/weight_grid(w, panel, i \/ f.group, lane);/weight_grid(w, panel, 0 * i, lane);/|test_core|device linear*"
  "device share of inputs|core/kernels/packed_linear.cuh|s/sum += memory.sums/sum = memory.sums/|test_core|device linear*"
  "device key bound|core/kernels/masked_attention.cuh|s/(s + token < p_.key_bound/(s + token <= p_.key_bound/|test_core|device attention*"
  "device running softmax|core/kernels/masked_attention.cuh|s/sums_\[j\]\[q\] \*= memory_.factor\[q\]/sums_[j][q] *= 1.0f/|test_core|device attention*"
  "device quantizer block|core/kernels/fake_quant.cuh|s/blockIdx.x \* static_cast<int64_t>(blockDim.x)/blockIdx.x * static_cast<int64_t>(blockDim.x + 1)/|test_core|device quantizer*"
  "device clip ratio|core/kernels/fake_quant.cuh|s/lowest \*= buffers.low_ratio\[index\]/lowest *= buffers.low_ratio[row]/|test_core|device quantizer*"
  "BOS count|datasets/corpus.cpp|s/ids.insert(ids.begin(), bos);/ids.insert(ids.begin(), 2, bos);/|test_datasets|*BOS*,WikiText*"
  "window tail|datasets/corpus.cpp|s/length <= given - start \&\& !full(); start += length/start < given \&\& !full(); start += length/; s/corpus.stream.begin() + start + length/corpus.stream.begin() + std::min(given, start + length)/|test_datasets|*window*,*tail*"
  "left edge of the last rolling window|datasets/tasks/rolling.cpp|s/std::max<int64_t>(0, done + fresh - length)/done/|test_datasets|rolling*"
  "words of the original page|datasets/wikitext2.cpp|s/make_document(detokenize_wikitext(page), page)/make_document(detokenize_wikitext(page), detokenize_wikitext(page))/|test_datasets|*WikiText*"
  "half of a llama.cpp chunk|datasets/tasks/llama_cpp.cpp|s/context_ \/ 2 + 1/context_ \/ 2/|test_datasets|llama*"
  "indices of sampled tokens left on the host|core/token_sample.cpp|s/index_\[i\].to(x.device())/index_[i]/|test_core|pretended*"
  "loops of the CPU on memory of a device|core/fused_ops.cpp|s/ \&\& a.is_cpu() \&\& b.is_cpu()//|test_core|pretended*"
  "states between kept while looking ahead|methods/common/block_training.cpp|s/context.full->advance_to(target)/context.full->entering(target)/|test_core|calibration*"
  "mean of what a codebook is read as|core/codebook.cpp|s/factor + values.mean()/factor + nearest.mean()/|test_core|codebook*"
  "spread over draws|analysis/draws.cpp|s/squares \/ (count - 1)/squares \/ count/|test_analysis|draws*"
  "claims of processes elsewhere|core/base/claim.cpp|s/now - claim.time > kSilence.count()/now < 0/|test_base|claim*"
  "start of a process|core/base/owner.cpp|s/stat->start != owner.start/false/|test_base|owner*"
  "seal|core/base/seal.cpp|s/if (seal != seal_text/if (seal.empty() \&\& seal != seal_text/|test_base|hdf5*"
  "second look at a claimed run|experiments/run_queue.cpp|s/if (stamp_of(files_\[run\]) != seen.stamp)/if (false)/|test_experiments|shared folder*"
  "group of packed codes|core/packed_file_checks.cpp|s/n\[3\] < kMost \&\& //|test_experiments|pack*"
  "pairing of two runs|analysis/paired_rows.cpp|s/{\"part\", \"item\", \"document\", \"window\", \"position\", /{\"part\", \"item\", \"document\", \"window\", /|test_analysis|compare*"
)

rm -rf "$copy" && mkdir -p "$copy"
git ls-files -z | xargs -0 cp --parents -t "$copy"
[[ -z $shared ]] || export WKVQ_SHARED=$shared
ln -s "$(realpath .venv)" "$copy/.venv"
cmake -S "$copy" -B "$copy/build" -G Ninja -DWKVQ_CUDA=off >/dev/null
missed=0
for entry in "${sabotages[@]}"; do
  IFS='|' read -r name file expression program tests <<<"$entry"
  [[ $# -eq 0 || " $* " == *" $name "* ]] || continue
  sed -i "$expression" "$copy/$file"
  if cmp -s "$file" "$copy/$file"; then echo "$name: the sabotage changes nothing" >&2; exit 1; fi
  cmake --build "$copy/build" --target "$program" -- --quiet >/dev/null
  if output=$("$copy/build/$program" "$tests" 2>&1); then
    echo "MISSED  $name"
    missed=1
  else
    seen=$(grep -B2 -A1 -E '^-{70,}' <<<"$output" | grep -vE '^(-|\.|$|\.\.)' | sort -u | grep -vE '^(/|test_|Run with)' | head -3 | paste -sd';')
    echo "seen    $name ($file): $seen"
  fi
  cp "$file" "$copy/$file"
done
rm -rf "$copy"
exit $missed
