"""Gold of other data sets as records of our own format. Reading only; judging against it is elsewhere."""

from grounding_assets.core.evaluation.gold.coco import coco_gold
from grounding_assets.core.evaluation.gold.flickr30k import flickr30k_gold
from grounding_assets.core.evaluation.gold.refcoco import refcoco_gold

__all__ = ["coco_gold", "flickr30k_gold", "refcoco_gold"]
