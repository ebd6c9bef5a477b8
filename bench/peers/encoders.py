"""Embeddings of queries by an encoder of transformers."""
import torch


def embed(encoder, queries):
    """Token ids, padded on the right, to means over tokens of unit length."""
    width = max(len(ids) for ids in queries)
    ids = torch.tensor([query + [0] * (width - len(query)) for query in queries])
    mask = torch.tensor([[1] * len(query) + [0] * (width - len(query)) for query in queries])
    hidden = encoder(input_ids=ids, attention_mask=mask).last_hidden_state
    weights = mask[:, :, None].float()
    return torch.nn.functional.normalize((hidden * weights).sum(1) / weights.sum(1), dim=-1)
