"""The products that the local cloud offers."""

from __future__ import annotations

from steelyard.localcloud.service import Service
from steelyard.localcloud.services.alb.actions import AlbService
from steelyard.localcloud.services.bssopenapi.actions import BssOpenApiService
from steelyard.localcloud.services.cas.actions import CasService
from steelyard.localcloud.services.cms.actions import CmsService
from steelyard.localcloud.services.ecs.actions import EcsService
from steelyard.localcloud.services.ess.actions import EssService
from steelyard.localcloud.services.nas.actions import NasService
from steelyard.localcloud.services.nlb.actions import NlbService
from steelyard.localcloud.services.oss.actions import OssService
from steelyard.localcloud.services.ram.actions import RamService
from steelyard.localcloud.services.slb.actions import SlbService
from steelyard.localcloud.services.sts.actions import StsService
from steelyard.localcloud.services.tag.actions import TagService
from steelyard.localcloud.services.vpc.actions import VpcService

SERVICES: tuple[type[Service], ...] = (
    VpcService,
    RamService,
    StsService,
    OssService,
    CasService,
    BssOpenApiService,
    NasService,
    EcsService,
    SlbService,
    NlbService,
    AlbService,
    CmsService,
    EssService,
    TagService,
)
