"""The networks of Ruan et al. 2022 in PyTorch, from the layer tables, against which tests and
benchmarks compare.
"""


def torch_samer(nn, torch):
    """Builder of dual_branch and single_branch without dropout: build(regions, classes=, width=,
    ...) -> module.

    The module maps [B, C, H, W] to (logits, out) as the JAX network does, but for maps [B, R, D, h,
    w]. Settings are those of the JAX network.
    """
    F = nn.functional

    class Attention(nn.Module):
        """Shuffle attention: of each group one half gated by channel, one by pixel; then the groups
        change places.
        """

        def __init__(self, channels, kind, groups):
            super().__init__()
            self.kind, self.groups, self.half = kind, groups, channels // (2 * groups)
            sets = 1 if kind == 'sanet' else groups
            for name, start in (
                ('channel_weight', 0.0),
                ('channel_bias', 1.0),
                ('pixel_weight', 0.0),
                ('pixel_bias', 1.0),
            ):
                self.register_parameter(name, nn.Parameter(torch.full((sets, self.half), start)))
            self.norm_scale, self.norm_bias = (
                nn.Parameter(torch.ones(self.half)),
                nn.Parameter(torch.zeros(self.half)),
            )

        def forward(self, x):
            batch, channels, height, width = x.shape
            first, second = x.view(batch, self.groups, 2, self.half, height, width).unbind(2)
            gate = (lambda v: v.softmax(1)) if self.kind == 'released' else torch.sigmoid
            tall = (1, -1, self.half, 1, 1)
            means = first.mean((3, 4), keepdim=True)
            first = first * gate(
                means * self.channel_weight.view(tall) + self.channel_bias.view(tall)
            )
            normal = F.group_norm(
                second.reshape(-1, self.half, height, width),
                self.half,
                self.norm_scale,
                self.norm_bias,
            )
            normal = normal.view(second.shape)
            second = second * gate(
                normal * self.pixel_weight.view(tall) + self.pixel_bias.view(tall)
            )
            joined = torch.cat([first, second], 2).view(batch, 2, channels // 2, height, width)
            return joined.transpose(1, 2).reshape(x.shape)

    class Block(nn.Module):
        """Basic block of a residual network; kind 'off' leaves the attention out."""

        def __init__(self, before, width, stride, kind='off', groups=4):
            super().__init__()
            self.conv1, self.bn1 = (
                nn.Conv2d(before, width, 3, stride, 1, bias=False),
                nn.BatchNorm2d(width),
            )
            self.conv2, self.bn2 = (
                nn.Conv2d(width, width, 3, 1, 1, bias=False),
                nn.BatchNorm2d(width),
            )
            self.attention = nn.Identity() if kind == 'off' else Attention(width, kind, groups)
            self.downsample = nn.Identity()
            if stride > 1 or before != width:
                self.downsample = nn.Sequential(
                    nn.Conv2d(before, width, 1, stride, bias=False), nn.BatchNorm2d(width)
                )

        def forward(self, x):
            y = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
            return torch.relu(self.attention(y) + self.downsample(x))

    def stage(before, width, stride, blocks, **kind):
        return nn.Sequential(
            Block(before, width, stride, **kind),
            *(Block(width, width, 1, **kind) for _ in range(blocks - 1)),
        )

    class Stem(nn.Module):
        def __init__(self, channels, width, pool):
            super().__init__()
            self.conv1, self.bn1 = (
                nn.Conv2d(channels, width, 7, 2, 3, bias=False),
                nn.BatchNorm2d(width),
            )
            self.pool = nn.MaxPool2d(3, 2, 1) if pool else nn.Identity()

        def forward(self, x):
            return self.pool(torch.relu(self.bn1(self.conv1(x))))

    class Area(nn.Module):
        def __init__(self, features, hidden):
            super().__init__()
            self.dense1, self.norm1 = nn.Linear(features, hidden), nn.LayerNorm(hidden)
            self.dense2, self.norm2 = nn.Linear(hidden, features), nn.LayerNorm(features)

        def forward(self, x):
            return torch.sigmoid(self.norm2(self.dense2(torch.relu(self.norm1(self.dense1(x))))))

    class Head(nn.Module):
        def __init__(self, features, classes):
            super().__init__()
            self.dense1, self.norm = nn.Linear(features, features), nn.LayerNorm(features)
            self.dense2 = nn.Linear(features, classes)

        def forward(self, x):
            return self.dense2(torch.relu(self.norm(self.dense1(x))))

    class Samer(nn.Module):
        def __init__(
            self,
            regions,
            *,
            classes,
            width=64,
            hidden=1024,
            channels=3,
            awm=True,
            attention='released',
            groups=4,
            head_fusion='logits',
            pool=True,
            unstrided_layers=0,
            blocks=2,
            batch_statistics='halves',
        ):
            super().__init__()
            self.regions, self.head_fusion, kind = (
                regions,
                head_fusion,
                {'blocks': blocks, 'kind': attention, 'groups': groups},
            )
            self.pooled = batch_statistics == 'pooled'
            self.stem = Stem(channels, width, pool)
            self.layer1, self.layer2 = (
                stage(width, width, 1, **kind),
                stage(width, 2 * width, 2, **kind),
            )
            strides = 1 if unstrided_layers == 2 else 2, 1 if unstrided_layers else 2
            self.layer3 = nn.ModuleDict(
                {r: stage(2 * width, 4 * width, strides[0], **kind) for r in regions}
            )
            self.layer4 = nn.ModuleDict(
                {r: stage(4 * width, 8 * width, strides[1], **kind) for r in regions}
            )
            self.area = Area(len(regions) * 8 * width, hidden) if awm else None
            self.heads = nn.ModuleDict({r: Head(8 * width, classes) for r in regions})

        def shared(self, x):
            return self.layer2(self.layer1(self.stem(x)))

        def forward(self, x):
            halves = x.chunk(len(self.regions), 2)
            if self.pooled:
                shared = self.shared(torch.cat(halves)).chunk(len(halves))
            else:
                shared = [self.shared(half) for half in halves]
            halves = zip(self.regions, shared, strict=True)
            maps = [self.layer4[region](self.layer3[region](half)) for region, half in halves]
            joined = torch.cat([F.normalize(each.mean((2, 3))) for each in maps], 1)
            weights = torch.ones_like(joined) if self.area is None else self.area(joined.detach())
            weighted = joined * weights
            parts = weighted.chunk(len(self.regions), 1)
            heads = torch.stack(
                [self.heads[r](part) for r, part in zip(self.regions, parts, strict=True)], 1
            )
            logits = (
                heads.sum(1) if self.head_fusion == 'logits' else heads.softmax(2).mean(1).log()
            )
            return logits, {
                'features': weighted,
                'contrast': F.normalize(weighted),
                'heads': heads,
                'weights': weights,
                'maps': torch.stack(maps, 1),
            }

    return lambda regions, **settings: Samer(regions, **settings)


def torch_resnet18(nn, torch, width=64):
    """A residual network of 18 layers with torchvision's module names; .features(x) are the maps of
    its last block.
    """

    class Block(nn.Module):
        def __init__(self, before, after, stride):
            super().__init__()
            self.conv1, self.bn1 = (
                nn.Conv2d(before, after, 3, stride, 1, bias=False),
                nn.BatchNorm2d(after),
            )
            self.conv2, self.bn2 = (
                nn.Conv2d(after, after, 3, 1, 1, bias=False),
                nn.BatchNorm2d(after),
            )
            if stride > 1:
                self.downsample = nn.Sequential(
                    nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after)
                )

        def forward(self, x):
            y = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
            return torch.relu(y + (self.downsample(x) if hasattr(self, 'downsample') else x))

    class ResNet18(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1, self.bn1 = nn.Conv2d(3, width, 7, 2, 3, bias=False), nn.BatchNorm2d(width)
            before = width
            for i in range(4):
                after = width * 2**i
                self.add_module(
                    f'layer{i + 1}',
                    nn.Sequential(Block(before, after, 1 + (i > 0)), Block(after, after, 1)),
                )
                before = after
            self.fc = nn.Linear(before, 1000)

        def features(self, x):
            x = nn.functional.max_pool2d(torch.relu(self.bn1(self.conv1(x))), 3, 2, 1)
            return self.layer4(self.layer3(self.layer2(self.layer1(x))))

    return ResNet18()
