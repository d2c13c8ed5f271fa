from __future__ import annotations

from steelyard.localcloud.cloud import Cloud
from steelyard.localcloud.record import Records
from steelyard.localcloud.service import Request
from steelyard.localcloud.services.ecs import errors
from steelyard.localcloud.services.ecs.custom_image import AVAILABLE, CustomImage, ImageFolders
from steelyard.localcloud.services.ecs.image import IMAGES, Image
from steelyard.localcloud.services.ecs.state import EcsState
from steelyard.localcloud.wire.error import missing_parameter


class ImageState(EcsState):
    """Which images there are: the public ones, and those that calls made."""

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.images = Records(cloud.store, CustomImage)
        self.image_folders = ImageFolders(cloud, self.images)
        self.life.image_folder = self.image_folders.find

    def start(self) -> None:
        """Finish the images that were being made, before the instances begin with them."""
        self.image_folders.resume()
        super().start()

    def stop(self) -> None:
        """Wait for the images that are being made, and end the instances."""
        self.image_folders.close()
        super().stop()

    def images_of(self, region_id: str) -> list[CustomImage]:
        """Give a region's custom images."""
        return list(self.images.where("region_id", region_id))

    def read_image(self, request: Request) -> Image:
        """Give the image that a call names by its id, or the newest of the family that it names.

        Raises:
            ApiError: `MissingParameter` or `InvalidImageId.NotFound`.
        """
        image_id, family = request.text("ImageId"), request.text("ImageFamily")
        if not image_id and not family:
            raise missing_parameter("ImageId")
        custom = [one.to_image() for one in self.images_of(request.region_id) if one.status == AVAILABLE]
        known = [*IMAGES.values(), *custom]
        if image_id:
            found = [image for image in known if image.image_id == image_id]
        else:
            found = [image for image in known if image.family == family]
        if not found:
            raise errors.image_not_found()
        return max(found, key=lambda image: image.created_on)
